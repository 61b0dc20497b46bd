"""The broker that everything else stands on does what the guarantees need, and leaves nothing behind."""

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.local.broker import Broker
from tests.support.waiting import deadline_seconds

pytestmark = pytest.mark.kafka


def _topic(kafka: Broker, name: str) -> str:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])[name].result(deadline_seconds())
    return name


def _producer(kafka: Broker, transactional_id: str) -> Producer:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": transactional_id})
    producer.init_transactions(deadline_seconds())
    return producer


def _values(kafka: Broker, topic: str, count: int) -> list[bytes | None]:
    settings = {"group.id": topic, "auto.offset.reset": "earliest", "isolation.level": "read_committed"}
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, **settings})
    consumer.subscribe([topic])
    result: list[bytes | None] = []
    while len(result) < count:
        batch = consumer.consume(count, timeout=deadline_seconds())
        assert batch, f"only {result} arrived"
        result += [message.value() for message in batch]
    consumer.close()
    return result


def test_read_committed_consumers_see_what_was_committed_and_nothing_that_was_aborted(
    kafka: Broker, topic_prefix: str
) -> None:
    topic = _topic(kafka, f"{topic_prefix}.out")
    producer = _producer(kafka, topic_prefix)
    for value, commit in ((b"kept", True), (b"aborted", False), (b"kept too", True)):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.flush(deadline_seconds())
        producer.commit_transaction(deadline_seconds()) if commit else producer.abort_transaction(deadline_seconds())
    producer.close()
    assert _values(kafka, topic, 2) == [b"kept", b"kept too"]


def test_a_second_producer_with_the_same_transactional_id_fences_the_first(kafka: Broker, topic_prefix: str) -> None:
    topic = _topic(kafka, f"{topic_prefix}.out")
    first = _producer(kafka, topic_prefix)
    first.begin_transaction()
    first.produce(topic, b"from a zombie")
    second = _producer(kafka, topic_prefix)
    with pytest.raises(KafkaException) as caught:
        first.commit_transaction(deadline_seconds())
    assert caught.value.args[0].code() in {KafkaError._FENCED, KafkaError.PRODUCER_FENCED}
    second.begin_transaction()
    second.produce(topic, b"from its successor")
    second.commit_transaction(deadline_seconds())
    second.close()
    assert _values(kafka, topic, 1) == [b"from its successor"]
