"""The registry client on a real registry."""

import io
import json
import socket

import fastavro
import httpx2
import pytest

import schemas
from pipeline.avro.event_columns import EventDecoder
from pipeline.avro.registry import (
    FileIds,
    IncompatibleSchemaError,
    Registry,
    RegistryError,
    RegistryUnavailableError,
    schema_ids,
    subject_of,
)
from pipeline.avro.wire import Decoder, Encoder, Undecodable, head

EVENT = {"message_id": "m-1", "timestamp_ms": 1_790_000_000_000, "identifiers": ["user_id:7"]}


@pytest.fixture
def client(registry):
    with Registry(registry.url) as result:
        yield result


@pytest.fixture
def foreign(registry):
    """Registers a schema as another producer would, without this project's client."""

    def register(topic, document):
        answer = httpx2.post(
            f"{registry.url}/subjects/{subject_of(topic)}/versions", json={"schema": json.dumps(document)}
        )
        return answer.raise_for_status().json()["id"]

    return register


@pytest.mark.parametrize("name", schemas.names())
def test_every_schema_is_registered_once_under_its_topic_with_its_compatibility(client, registry, topic_prefix, name):
    topic = f"{topic_prefix}.{name}.v1"
    assert client.find(topic, name) is None
    number = client.id_of(topic, name)
    assert client.id_of(topic, name) == client.find(topic, name) == number
    assert json.loads(client.writer(number)) == json.loads(schemas.text(name))
    config = httpx2.get(f"{registry.url}/config/{topic}-value").json()
    expected = "BACKWARD_TRANSITIVE" if name.startswith("event-") else "FULL_TRANSITIVE"
    assert config["compatibilityLevel"] == expected


def test_a_schema_that_breaks_the_subject_is_refused_with_the_subject_and_what_to_do(client, foreign, topic_prefix):
    topic = f"{topic_prefix}.crm.actions.v1"
    document = json.loads(schemas.text("crm-action"))
    document["fields"][0] = {"name": "action_id", "type": "long", "default": 0}
    foreign(topic, document)
    with pytest.raises(IncompatibleSchemaError, match=f"FULL_TRANSITIVE with the versions of subject {topic}-value"):
        client.id_of(topic, "crm-action")


def test_a_compatible_later_version_is_taken_and_records_of_both_are_read(client, foreign, topic_prefix):
    topic = f"{topic_prefix}.events.web.v1"
    number = client.id_of(topic, "event-web")
    document = json.loads(schemas.text("event-web"))
    document["fields"].insert(0, {"name": "trace", "type": "string", "default": ""})
    newer = foreign(topic, document)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schemas.parsed(json.dumps(document)), EVENT | {"trace": "t"})
    decode = EventDecoder("event-web", client.writer)
    ours = decode(Encoder("event-web", number)(EVENT))
    assert newer != number
    assert decode(head(newer) + out.getvalue()) == ours
    assert decode(Encoder("event-web", number)(EVENT)) == ours
    assert ours | EVENT == ours


def test_records_written_before_there_was_a_registry_are_still_read(client):
    data = Encoder("crm-action", FileIds().id_of("any", "crm-action"))({"action_id": "a-1"})
    assert Decoder("crm-action", client.writer)(data)["action_id"] == "a-1"


@pytest.mark.parametrize("number", [0, 999_999_999, 2**31, 2**32 - 1])
def test_an_id_the_registry_does_not_know_is_undecodable(client, number):
    assert client.writer(number) is None
    with pytest.raises(Undecodable, match=f"no schema has id {number}"):
        Decoder("event-web", client.writer)(head(number) + b"\x00")


def test_an_id_of_another_topics_schema_is_undecodable(client, topic_prefix):
    number = client.id_of(f"{topic_prefix}.events.pos.v1", "event-pos")
    with pytest.raises(Undecodable, match="PosEvent, not to"):
        EventDecoder("event-web", client.writer)(Encoder("event-pos", number)(EVENT))


def test_a_url_that_is_not_the_base_of_the_api_is_reported(registry, topic_prefix):
    with Registry(f"{registry.url}/subjects") as client, pytest.raises(RegistryError, match="without /subjects"):
        client.id_of(f"{topic_prefix}.events.web.v1", "event-web")


def test_a_registry_that_is_away_is_named_without_its_password():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        away = pytest.raises(RegistryUnavailableError, match=f"http://{address} does not answer")
        with Registry(f"http://me:s3cret@{address}", attempts=2) as client, away as caught:
            client.writer(7)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["registry:8081", "ftp://registry", "http://"])
def test_a_url_that_is_none_is_refused_at_once(url):
    with pytest.raises(RegistryError, match="must look like"):
        Registry(url)


def test_without_a_url_the_files_own_ids_are_used():
    ids = schema_ids("")
    assert ids.id_of("any.topic", "event-web") == schemas.own_id("event-web")
    assert ids.writer(schemas.own_id("event-web")) == schemas.released("event-web", 1)
    assert ids.writer(7) is None
