"""The event that the walk page follows is replayed: every byte and every record it shows comes out again."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.sources.outgoing import EventEncoder, Outgoing
from pipeline import topics
from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Decoder
from pipeline.event.parse import Defaults
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.simulate import simulation
from pipeline.testing.log import MemoryLog

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy/docs/anna.ndjson"
SECTION = (ROOT / "deploy/docs/walk.md").read_text(encoding="utf-8")
SHOWN = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)]
ACTION = SHOWN[-1]
NOW_MS = 1795339260000


class RecordingLog(MemoryLog):
    """Keeps what goes over the log, the internal topics included."""

    kept: dict[str, list[bytes]]

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.kept = defaultdict(list)

    def emit(self, topic: topics.Topic, key: Any, value: Any, headers: Any = None) -> None:
        self.kept[topic.name].append(value)
        super().emit(topic, key, value, headers)


@pytest.fixture(scope="module")
def outgoing() -> list[Outgoing]:
    rules = load_rules(None)
    encode = EventEncoder(
        rules.intake, rules.identifiers, FileIds(), "cdp", Defaults(tenant="default", source="", channel=None)
    )
    result = [encode(json.loads(line)) for line in FILE.read_text(encoding="utf-8").splitlines()]
    assert all(isinstance(item, Outgoing) for item in result)
    return result  # type: ignore[return-value]


@pytest.fixture(scope="module")
def records(outgoing: list[Outgoing]) -> dict[str, list[Any]]:
    """What the five events leave on each topic, decoded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "MemoryLog", RecordingLog)
        settings = Settings().model_copy(update={"clock": "stream", "topic_prefix": "cdp"})
        run = simulation.Simulation(settings, load_rules(None), lambda: NOW_MS)
        for record in outgoing:
            run.feed(record.topic, record.key, record.value)
            run.settle()
    assert isinstance(run.log, RecordingLog)
    decode = {topic.name: Decoder(topic.value) for topic in topics.ALL if topic.value not in {"msgpack", "bytes"}}
    return {
        name: [decode[name](value) if name in decode else msgspec.msgpack.decode(value) for value in values]
        for name, values in run.log.kept.items()
    }


def holds(record: Any, shown: Any) -> bool:
    """Whether a record is what is shown; of the outermost object the page may leave fields out."""
    if isinstance(shown, dict) and isinstance(record, dict):
        return all(record.get(name) == value for name, value in shown.items())
    return bool(record == shown)


def test_the_event_is_the_last_of_the_file() -> None:
    assert SHOWN[0] == json.loads(FILE.read_text(encoding="utf-8").splitlines()[-1])


def test_the_bytes_are_those_on_the_topic(outgoing: list[Outgoing]) -> None:
    block = re.search(r"^```text\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    assert block is not None
    pairs = [re.match(r"(?:[0-9a-f]{2} )+(?= )", line) for line in block[1].splitlines()]
    value = bytes.fromhex("".join(pair[0] for pair in pairs if pair))
    assert len(value) == 99
    assert f"{len(value)} bytes" in SECTION
    sent = outgoing[-1]
    assert (sent.topic, sent.key, sent.value) == ("cdp.events.web.v1", "default/user_id:4711", value)


@pytest.mark.parametrize(
    ("at", "topic"),
    [
        (1, topics.TOUCHES),
        (2, topics.LINKS),
        (3, topics.CHANGES),
        (4, topics.TOUCHES),
        (5, topics.UPDATES),
        (6, topics.ACTIONS),
    ],
    ids=["touch", "link", "change", "move", "update", "action"],
)
def test_a_record_the_walk_shows_is_on_its_topic(at: int, topic: topics.Topic, records: dict[str, list[Any]]) -> None:
    assert any(holds(record, SHOWN[at]) for record in records[topic.name]), records[topic.name]
    assert f"cdp.{topic.name}" in SECTION


def test_there_is_one_lead_and_its_contributions_sum_to_its_score(records: dict[str, list[Any]]) -> None:
    assert len(records[topics.ACTIONS.name]) == 1
    assert sum(contribution["points"] for contribution in ACTION["contributions"]) == ACTION["score"]


def test_the_last_profile_is_the_one_shown(records: dict[str, list[Any]]) -> None:
    assert holds(records[topics.UPDATES.name][-1], SHOWN[5])
