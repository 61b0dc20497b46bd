"""A shop day with a real BottleCRM: stages in memory, the real runner, puller, sink and reader."""

import io
import time
from pathlib import Path
from typing import Any

import msgspec

from connectors.crm.connect import open_http, open_sink
from connectors.crm.erasing import erasing
from connectors.crm.ledger import Ledger
from connectors.crm.runner import SinkRunner
from connectors.sources.crm.connect import documents_of, open_reader
from connectors.sources.crm.memory import Memory
from connectors.sources.crm.puller import Puller
from connectors.sources.outgoing import EventEncoder, Outgoing
from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Decoder
from pipeline.clock import wall_clock_ms
from pipeline.event.model import Event
from pipeline.event.parse import Defaults
from pipeline.export.files import write_ndjson
from pipeline.obs.metrics import Metrics
from pipeline.query.profiles import LATEST, export_profiles
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import Simulation
from pipeline.topics import ACTIONS, DLQ, LINKS
from tests.crm.bottlecrm.server import BottleCrm
from tests.support.crm_log import Clock, MemoryActionLog, Stop, Topics
from tests.support.pull_log import MemoryPullLog, PullTopics

EXAMPLE = Path("deploy/examples/crm")


class Shop:
    """The example rules, with the connection turned to a server of the test."""

    def __init__(self, crm: BottleCrm, folder: Path) -> None:
        self.crm, self.rules = crm, load_rules(EXAMPLE)
        (folder / "token").write_text(crm.tokens["admin"], encoding="utf-8")
        (given,) = self.rules.crm.connections
        owners = tuple(msgspec.structs.replace(one, id=crm.profiles[one.rep]) for one in given.owners)
        back = msgspec.structs.replace(given.back, delay_seconds=0)
        self.connection = msgspec.structs.replace(
            given, url=crm.url, secret=f"file:{folder / 'token'}", owners=owners, back=back, requests=100_000,
            timeout_seconds=120,
        )  # fmt: skip
        self.topics, self.pulled = Topics(partitions=1), PullTopics()
        self.simulation = Simulation(Settings(topic_prefix="cdp"), self.rules, wall_clock_ms)
        self._encode = EventEncoder(self.rules.intake, self.rules.identifiers, FileIds(), "cdp", Defaults())
        self._decode = Decoder(ACTIONS.value)
        self.actions: list[dict[str, Any]] = []

    def happens(self, *documents: dict[str, Any]) -> None:
        """Events of the shop, now. Every one must be accepted."""
        for number, document in enumerate(documents):
            at = {"timestamp": wall_clock_ms() - 1000, "messageId": f"m{time.time_ns()}-{number}", "channel": "web"}
            sent = self._encode({**at, **document})
            assert isinstance(sent, Outgoing), sent
            self.simulation.feed(sent.topic, sent.key, sent.value)
        self._settle()

    def deliver(self, *actions: dict[str, Any]) -> SinkRunner:
        """Delivers the actions of the stages, and others, to BottleCRM."""
        for body in actions:
            self.topics.send(msgspec.json.encode(body))
        clock, ledger = Clock(wall_clock_ms()), Ledger()
        http = open_http(self.connection, clock=wall_clock_ms, sleep=time.sleep, metrics=Metrics())
        sink = erasing(self.connection, open_sink(self.connection, http, ledger, clock), http.send, ledger, clock)
        runner = SinkRunner(
            "shop-crm",
            MemoryActionLog(self.topics, clock),
            sink,
            decode=msgspec.json.decode,
            clock=clock,
            ledger=ledger,
        )
        try:
            runner.run(Stop(clock), drain=True)
        finally:
            sink.close()
        return runner

    def sink(self) -> Any:
        """A sink that the caller closes."""
        http = open_http(self.connection, clock=wall_clock_ms, sleep=time.sleep, metrics=Metrics())
        return open_sink(self.connection, http, self._ledger(), wall_clock_ms)

    def pull(self) -> list[Event]:
        """Pulls what has changed and passes it to the stages. Returns the events."""
        http = open_http(self.connection, clock=wall_clock_ms, sleep=time.sleep, metrics=Metrics())
        memory, self.pulled.ledger = Memory(self.connection.name), self.topics.ledger
        puller = Puller(
            self.connection, MemoryPullLog(self.pulled), open_reader(self.connection, http.send, wall_clock_ms, memory),
            memory, make=documents_of(self.connection, self.rules.intake, self.rules.identifiers), encode=self._encode,
            clock=wall_clock_ms,
        )  # fmt: skip
        puller.run(Stop(Clock()), drain=True)
        http.close()
        for command in self.pulled.commands:
            self.simulation.log.emit(LINKS, command.tenant, msgspec.msgpack.encode(command))
        for sent in self.pulled.sent:
            self.simulation.feed(sent.topic, sent.key, sent.value)
        self.pulled.commands, self.pulled.sent = [], []
        self._settle()
        return sorted(self.pulled.take(), key=lambda event: event.timestamp_ms)

    def profile(self, identifier: str) -> dict[str, Any]:
        """The one profile with an identifier, as it is exported."""
        file = io.BytesIO()
        write_ndjson(file, export_profiles(self.simulation.profiles(), compiled(self.rules), LATEST))
        profiles = [msgspec.json.decode(line) for line in file.getvalue().splitlines()]
        (profile,) = [one for one in profiles if identifier in one["identifiers"]]
        return profile

    def _ledger(self) -> Ledger:
        ledger = Ledger()
        ledger.apply(self.topics.ledger)
        return ledger

    def _settle(self) -> None:
        self.simulation.settle()
        assert self.simulation.take(DLQ) == []
        self.actions += [self._decode(record.value()) for record in self.simulation.take(ACTIONS)]
