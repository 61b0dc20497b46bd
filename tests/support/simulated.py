"""Scenarios for the three stages in one process: JSON events and people's decisions in, exported profiles out."""

import io
from collections.abc import Iterable
from typing import Any

import msgspec

from connectors.sources.outgoing import EventEncoder, Outgoing
from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Decoder
from pipeline.event.parse import Defaults
from pipeline.export.files import write_ndjson
from pipeline.identity.messages import Command
from pipeline.query.identity import StoredIdentity
from pipeline.query.profiles import LATEST, export_profiles
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import Simulation
from pipeline.state import layout
from pipeline.state.store import Change
from pipeline.topics import CHANGES, DLQ, LINKS

TENANT = "default"
LATER_MS = 4_102_444_800_000
"""The year 2100: no event of a story is from the future."""


class Story:
    """A simulation in the streams' own time, with the shipped rules or others."""

    def __init__(self, rules: Rules | None = None, prefix: str = "cdp") -> None:
        self.rules = rules or load_rules()
        settings = Settings(clock="stream", topic_prefix=prefix)
        self.simulation = Simulation(settings, self.rules, lambda: LATER_MS)
        self._encode = EventEncoder(self.rules.intake, self.rules.identifiers, FileIds(), prefix, Defaults())

    def tell(self, *messages: dict[str, Any] | Command) -> "Story":
        """Processes events and decisions, in this order, until all stages are idle. Every event must be accepted."""
        for message in messages:
            if isinstance(message, Command):
                self.simulation.log.emit(LINKS, message.tenant, msgspec.msgpack.encode(message))
                continue
            sent = self._encode(dict(message))
            assert isinstance(sent, Outgoing), sent
            self.simulation.feed(sent.topic, sent.key, sent.value)
        self.simulation.settle()
        assert self.simulation.take(DLQ) == []
        return self

    def one_by_one(self, messages: Iterable[dict[str, Any] | Command]) -> "Story":
        """As :meth:`tell`, waiting for idle stages after each message."""
        for message in messages:
            self.tell(message)
        return self

    def exported(self) -> bytes:
        """What ``profile export --as-of latest`` would write."""
        file = io.BytesIO()
        write_ndjson(file, export_profiles(self.simulation.profiles(), compiled(self.rules), LATEST))
        return file.getvalue()

    def lines(self) -> dict[str, bytes]:
        """The exported lines by profile id."""
        return {msgspec.json.decode(line)["profile_id"]: line for line in self.exported().splitlines()}

    def changes(self) -> list[dict[str, Any]]:
        """The lines of identity.changes since the last call."""
        decode = Decoder(CHANGES.value)
        return [decode(record.value()) for record in self.simulation.take(CHANGES)]

    def identity(self) -> StoredIdentity:
        """The graph as STITCH keeps it."""
        store = self.simulation.stores["stitch"]
        rows = (Change(layout.NODES, key, value) for key, value in store.scan(layout.NODES))
        return StoredIdentity.of_changes(TENANT, rows)


def decision(kind: Any, a: str, b: str = "", at_ms: int = 0) -> Command:
    """What a person decided."""
    return Command(TENANT, kind, a, b, "ann", "because", at_ms, f"decision/{kind}-{at_ms}")
