"""A collector without sockets and Kafka: the application over an in-memory keeper, with a clock that stands still."""

import asyncio
import gzip
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from connectors.collect.admission import Admission
from connectors.collect.app import Collector, Limits
from connectors.collect.encode import Outgoing, RecordEncoder
from connectors.collect.request import Answer, Request
from connectors.collect.request_counts import RequestCounts
from connectors.collect.safekeeping.keeper import Kept as WhenKept
from connectors.collect.safekeeping.spool import SpoolFullError
from connectors.collect.sources import live_sources
from connectors.collect.write_keys import hash_of
from connectors.collect.written import written
from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Decoder
from pipeline.event.avro import from_avro
from pipeline.event.model import Event
from pipeline.kafka.dlq_headers import headers_as_facts
from pipeline.obs.metrics import Metrics
from pipeline.rules.load import load_rules
from pipeline.rules.sources import Source, SourceRules

KEY = "wk_of_the_shop"
LIMITS = Limits()
NOW_MS = 1_790_000_000_000
RULES = load_rules()
ENCODER = RecordEncoder(RULES.intake, RULES.identifiers, FileIds(), "cdp")
DECODERS = {channel: Decoder(f"event-{channel}") for channel in ("web", "email", "app", "pos", "ads", "crm")}


class Kept:
    """A keeper in memory. ``full``: it refuses everything."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.full = False

    def keep(self, records: Sequence[Outgoing], done: WhenKept) -> None:
        if self.full:
            done(SpoolFullError())
            return
        self.records += records
        done(None)

    @property
    def events(self) -> list[Event]:
        return [
            from_avro(record.topic.split(".")[2], DECODERS[record.topic.split(".")[2]](record.value))
            for record in self.records
            if "dlq" not in record.topic
        ]

    @property
    def quarantined(self) -> list[tuple[bytes, dict[str, str]]]:
        return [(record.value, headers_as_facts([*record.headers])) for record in self.records if "dlq" in record.topic]


class Reply(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


def shop(**fields: Any) -> Source:
    """The usual source."""
    given = {"name": "shop", "channel": "web", "write_keys": [hash_of(KEY)], "origins": ["https://shop.example"]}
    return msgspec.convert({**given, **fields}, Source)


class Door:
    """A collector for some sources; by default the shop."""

    def __init__(
        self, *sources: Source, folder: Path = Path(), limits: Limits = LIMITS, encoder: RecordEncoder = ENCODER
    ) -> None:
        self.kept, self.metrics, self.now_ms = Kept(), Metrics(), NOW_MS
        self.sources = live_sources(SourceRules(sources=sources or (shop(),)), folder)
        counts = RequestCounts(self.metrics)
        admission = Admission(lambda: self.sources, encoder, counts)
        self.app = Collector(lambda: self.sources, admission, self.kept, counts, limits, clock=lambda: self.now_ms)

    def send(
        self,
        method: str,
        target: str,
        body: bytes | Any = b"",
        headers: Mapping[str, str] | None = None,
        *,
        key: str | None = KEY,
    ) -> Reply:
        """Sends a request and returns the reply. A body that is no bytes becomes JSON; ``key`` goes into Basic."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if key is not None:
            sent.setdefault("authorization", "Basic " + b64encode(f"{key}:".encode()).decode())
        path, _, query = target.partition("?")
        stated = int(sent["content-length"]) if "content-length" in sent else None
        request = Request(method, path, query, sent, client_ip="203.0.113.77", stated_bytes=stated)
        answer = self.app.begin(request) or self._handled(request, content)
        self.app.report()
        head, _, rest = written(answer).partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return Reply(int(status.split()[1]), dict(line.split(": ", 1) for line in lines), rest)

    def _handled(self, request: Request, content: bytes) -> Answer:
        """An event loop is opened only where an answer may have to wait for a look-up: it costs more than the rest."""
        if any(source.look_ups for source in self.sources.all()):
            return asyncio.run(self._awaited(request, content))
        answers: list[Answer] = []
        self.app.handle(request, content, answers.append)
        [answer] = answers
        return answer

    async def _awaited(self, request: Request, content: bytes) -> Answer:
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.app.handle(request, content, answered.set_result)
        return await answered


def squeezed(body: Any) -> bytes:
    """The JSON of a body, compressed."""
    return gzip.compress(msgspec.json.encode(body))
