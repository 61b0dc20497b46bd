"""A producer's first batch for a partition is refused while its next one is taken: no record may get lost.

With several requests under way, librdkafka reports the refused batch as delivered (confluent-kafka-go issue 921). The
unit of work aborts then, and the other producers never have several.
"""

from collections.abc import Callable, Iterator

import pytest

from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.clients import idempotent_producer, member, transactional_producer
from pipeline.settings import Settings
from pipeline.stream.unit_of_work import Aborted, UnitOfWork
from pipeline.topics import EVENTS, TOUCHES
from tests.support.records import Sent, committed, send
from tests.support.refusing_proxy import RefusingProxy
from tests.support.waiting import deadline_seconds, eventually

pytestmark = pytest.mark.kafka

RECORDS = [b"first", b"second", b"third"]


@pytest.fixture
def settings(kafka, topic_prefix) -> Settings:
    made = Settings(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, partitions=1)
    ensure_topics(made, (EVENTS["web"], TOUCHES))
    return made


@pytest.fixture
def proxy(settings: Settings, request: pytest.FixtureRequest) -> Iterator[RefusingProxy]:
    with RefusingProxy(settings.bootstrap_servers, TOUCHES.of(settings.topic_prefix), request.param) as running:
        yield running


one_request = pytest.mark.parametrize("proxy", [0.5], indirect=True, ids=["one request at a time"])
"""The producer sends nothing more before the answer."""
several_requests = pytest.mark.parametrize("proxy", [deadline_seconds()], indirect=True, ids=["several requests"])


def _send_one_by_one(proxy: RefusingProxy, send: Callable[[bytes], object]) -> None:
    """Sends the first record alone, and the others once the first one is at the broker's door."""
    first, *others = RECORDS
    send(first)
    eventually(lambda: proxy.refused, "the first batch is refused")
    for record in others:
        send(record)


def _arrived(settings: Settings) -> list[bytes]:
    return [record.value() for record in committed(settings, TOUCHES)]


@one_request
def test_an_idempotent_producer_writes_all(settings: Settings, proxy: RefusingProxy) -> None:
    producer = idempotent_producer({"bootstrap.servers": proxy.address})
    name = TOUCHES.of(settings.topic_prefix)

    _send_one_by_one(proxy, lambda value: producer.produce(name, value))
    assert producer.flush(deadline_seconds()) == 0

    assert _arrived(settings) == RECORDS


@one_request
def test_a_transaction_of_a_command_holds_all(settings: Settings, proxy: RefusingProxy) -> None:
    producer = transactional_producer({"bootstrap.servers": proxy.address}, settings.topic_prefix)
    name = TOUCHES.of(settings.topic_prefix)

    producer.init_transactions(deadline_seconds())
    producer.begin_transaction()
    _send_one_by_one(proxy, lambda value: producer.produce(name, value))
    producer.commit_transaction(deadline_seconds())

    assert _arrived(settings) == RECORDS


@several_requests
def test_a_unit_of_work_aborts_and_holds_all_the_next_time(settings: Settings, proxy: RefusingProxy) -> None:
    send(settings, EVENTS["web"], [Sent(b"key", b"value")])
    web = EVENTS["web"].of(settings.topic_prefix)
    consumer = member(settings.kafka(), settings.application_id, {"session.timeout.ms": 45_000})
    consumer.subscribe([web])
    assert consumer.consume(1, deadline_seconds())
    unit = UnitOfWork({"bootstrap.servers": proxy.address}, settings.topic_prefix, settings.topic_prefix)
    unit.start()

    _send_one_by_one(proxy, lambda value: unit.emit(TOUCHES, "key", value))
    unit.consumed(web, 0, 1, 1)
    with pytest.raises(Aborted, match="not confirmed 1 records"):
        unit.commit([], consumer.consumer_group_metadata)
    assert _arrived(settings) == []

    for value in RECORDS:
        unit.emit(TOUCHES, "key", value)
    unit.consumed(web, 0, 1, 1)
    assert unit.commit([], consumer.consumer_group_metadata) is not None
    consumer.close()
    assert _arrived(settings) == RECORDS
