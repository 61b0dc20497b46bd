"""The unit of work on the real broker: it commits completely or not at all, and a replaced worker is fenced."""

import contextlib

import confluent_kafka
import pytest

from pipeline.kafka.admin import ensure_topics
from pipeline.settings import Settings
from pipeline.stream.unit_of_work import UnitOfWork
from pipeline.topics import CHANGELOGS, EVENTS, TOUCHES
from tests.integration.transaction_contract import STAGE, Deployment, TransactionContract, rolled_forward
from tests.support.records import Sent, committed, send
from tests.support.waiting import deadline_seconds

pytestmark = pytest.mark.kafka


class OnKafka(Deployment):
    def __init__(self, settings: Settings) -> None:
        self.settings, self.prefix = settings, settings.topic_prefix
        ensure_topics(settings, (EVENTS["web"], TOUCHES, CHANGELOGS[STAGE]))
        send(settings, EVENTS["web"], [Sent(b"k", b"v")])
        self.member = confluent_kafka.Consumer(
            {**settings.kafka(), "group.id": settings.application_id, "auto.offset.reset": "earliest",
             "enable.auto.commit": False}
        )  # fmt: skip
        self.member.subscribe([EVENTS["web"].of(self.prefix)])
        assert self.member.consume(1, deadline_seconds())

    def unit(self, refused):
        made = UnitOfWork(self.settings.kafka(), self.settings.application_id, self.prefix, refused=refused)
        made.start()
        return made

    def committed(self, topic):
        return committed(self.settings, topic)

    def position(self):
        place = confluent_kafka.TopicPartition(EVENTS["web"].of(self.prefix), 0)
        (result,) = self.member.committed([place], deadline_seconds())
        return result.offset

    def membership(self):
        return self.member.consumer_group_metadata()

    def leave(self):
        """Another of the group, so that its position can still be queried, is not subscribed to anything."""
        self.member.close()
        self.member = confluent_kafka.Consumer(
            {**self.settings.kafka(), "group.id": self.settings.application_id, "enable.auto.commit": False}
        )

    def restored(self):
        return rolled_forward(self, self.settings.kafka())


class TestOnKafka(TransactionContract):
    @pytest.fixture
    def deployment(self, kafka, topic_prefix):
        result = OnKafka(
            Settings(
                bootstrap_servers=kafka.bootstrap_servers,
                topic_prefix=topic_prefix,
                application_id=topic_prefix,
                partitions=1,
            )
        )
        yield result
        with contextlib.suppress(RuntimeError):
            result.member.close()
