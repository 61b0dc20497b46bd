"""The AsyncAPI file says what the list of topics, the schemas and the DLQ's headers say."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import topics
from pipeline.event.reason import Reason
from pipeline.kafka.dlq_headers import facts_as_headers
from pipeline.stream.dlq import quarantine
from pipeline.testing.log import MemoryRecord
from schemas.level import level

SCHEMAS = Path(__file__).parents[2] / "schemas"
API: dict[str, Any] = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"))
CHANNELS: dict[str, dict[str, Any]] = API["channels"]
PUBLIC = [topic for topic in topics.ALL if topic.value != "msgpack"]
each = pytest.mark.parametrize("topic", PUBLIC, ids=lambda topic: topic.name)


def channel_of(topic: topics.Topic) -> dict[str, Any]:
    (result,) = [item for item in CHANNELS.values() if item["address"] == "{prefix}." + topic.name]
    return result


def message_of(topic: topics.Topic) -> tuple[str, dict[str, Any]]:
    ((name, reference),) = channel_of(topic)["messages"].items()
    assert reference == {"$ref": f"#/components/messages/{name}"}
    return name, API["components"]["messages"][name]


def test_the_channels_are_the_public_topics_and_no_other() -> None:
    assert {channel["address"] for channel in CHANNELS.values()} == {topic.of("{prefix}") for topic in PUBLIC}
    assert len(API["components"]["messages"]) == len(PUBLIC)


@each
def test_a_channel_has_the_key_and_the_clean_up_of_its_topic(topic: topics.Topic) -> None:
    assert message_of(topic)[1]["bindings"]["kafka"]["key"]["description"] == topic.key
    assert channel_of(topic)["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"] == [topic.cleanup]


@each
def test_a_message_is_the_record_of_its_schema_file(topic: topics.Topic) -> None:
    name, message = message_of(topic)
    if topic in {topics.DLQ, topics.ACTION_DLQ}:
        assert "payload" not in message
        return
    assert message["payload"]["schema"] == {"$ref": f"{topic.value}.avsc"}
    assert json.loads((SCHEMAS / f"{topic.value}.avsc").read_text(encoding="utf-8"))["name"] == name
    assert channel_of(topic)["description"].endswith(f" {level(topic.value)}.")


def test_what_goes_in_is_received_and_what_comes_out_is_sent() -> None:
    inputs = {topic.of("{prefix}") for topic in topics.EVENTS.values()}
    actions = {}
    for operation in API["operations"].values():
        channel = CHANNELS[operation["channel"]["$ref"].rpartition("/")[2]]
        actions[channel["address"]] = operation["action"]
    assert actions == {
        topic.of("{prefix}"): "receive" if topic.of("{prefix}") in inputs else "send" for topic in PUBLIC
    }


def test_the_quarantine_has_the_documented_headers() -> None:
    sent: list[Any] = []
    record = MemoryRecord("cdp.events.web.v1", 7, b"k", b"v", None)
    quarantine(lambda *given: sent.append(given), record, "intake", Reason.UNDECODABLE, "no header")
    headers = API["components"]["messages"]["Quarantined"]["headers"]
    names = [name for name, _ in sent[0][3]]
    assert names
    assert set(names) == set(headers["required"]) == set(headers["properties"])
    assert all(name.startswith(facts_as_headers({"": ""})[0][0]) for name in names)


def test_the_reasons_of_the_quarantine_are_all_named() -> None:
    reasons = list(Reason)
    named = API["components"]["messages"]["Quarantined"]["headers"]["properties"]["stitchline-reason"]["enum"]
    assert named == [reason.value for reason in reasons[: reasons.index(Reason.DUPLICATE)]]


def test_the_version_is_the_project_s_own() -> None:
    project = tomllib.loads((SCHEMAS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert API["info"]["version"] == project["version"]
