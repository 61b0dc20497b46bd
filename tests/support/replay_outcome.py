"""What a run says in the end, in a form in which two runs can be compared byte for byte."""

import io
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from connectors.sources.outgoing import EventEncoder, Outgoing
from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Decoder
from pipeline.event.parse import Defaults
from pipeline.export.files import write_ndjson
from pipeline.query.profiles import LATEST, export_profiles
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import Simulation
from pipeline.topics import ACTIONS, DLQ, SEGMENTS, Topic

Json = dict[str, Any]
PREFIX = "cdp"
FAR_MS = 4_102_444_800_000


class Outcome(NamedTuple):
    """Profiles as exported, and every segment change and action, in no order."""

    profiles: bytes
    segment_changes: Counter[bytes]
    actions: Counter[bytes]


def encoded(records: Iterable[Any], topic: Topic) -> Counter[bytes]:
    """Returns decoded records as canonical JSON, counted."""
    decode = Decoder(topic.value)
    return counted(decode(record.value()) for record in records)


def counted(documents: Iterable[Json]) -> Counter[bytes]:
    """Returns documents as canonical JSON, counted."""
    return Counter(msgspec.json.encode(document, order="deterministic") for document in documents)


class Replay:
    """A simulation that is fed batches of JSON events."""

    def __init__(self, rules_dir: Path, clock: Callable[[], int] | None = None) -> None:
        """``clock`` replaces the clock "stream" by a wall clock."""
        self.rules = load_rules(rules_dir)
        settings = Settings(clock="wall" if clock else "stream", topic_prefix=PREFIX)
        self.simulation = Simulation(settings, self.rules, clock or (lambda: FAR_MS))
        self._encode = EventEncoder(self.rules.intake, self.rules.identifiers, FileIds(), PREFIX, Defaults())
        self._segments: Counter[bytes] = Counter()
        self._actions: Counter[bytes] = Counter()

    def feed(self, events: Iterable[Json]) -> None:
        """Adds events to the log, without processing them."""
        for event in events:
            sent = self._encode(dict(event))
            assert isinstance(sent, Outgoing), sent
            self.simulation.feed(sent.topic, sent.key, sent.value)

    def outcome(self, until_ms: int) -> Outcome:
        """Ends the input, lets time pass until a moment, and returns the outcome."""
        self.simulation.advance(until_ms)
        simulation = self.simulation
        assert simulation.take(DLQ) == []
        file = io.BytesIO()
        write_ndjson(file, export_profiles(simulation.profiles(), compiled(self.rules), LATEST))
        return Outcome(
            file.getvalue(), encoded(simulation.take(SEGMENTS), SEGMENTS), encoded(simulation.take(ACTIONS), ACTIONS)
        )


def values(lines: bytes) -> list[Json]:
    """Returns the documents of an NDJSON file."""
    return [msgspec.json.decode(line) for line in lines.splitlines()]
