"""Offsets of a group while a transaction may still move them: an older offset would rewind the group."""

import confluent_kafka
import pytest

from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.ends import Ends
from pipeline.kafka.topic_partition import TopicPartition
from pipeline.settings import Settings
from pipeline.topics import EVENTS

pytestmark = pytest.mark.kafka


def test_a_position_that_an_open_transaction_may_move_is_not_reported(kafka, topic_prefix):
    settings = Settings(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, partitions=2)
    ensure_topics(settings, (EVENTS["web"],))
    quiet, moving = (TopicPartition(EVENTS["web"].of(topic_prefix), number) for number in range(2))
    group = topic_prefix
    producer = confluent_kafka.Producer({**settings.kafka(), "transactional.id": topic_prefix})
    producer.init_transactions()
    member = confluent_kafka.Consumer({**settings.kafka(), "group.id": group})

    def told() -> dict[TopicPartition, int]:
        return Ends(settings.kafka()).committed(group, {quiet, moving})

    def move_to(offset: int) -> None:
        producer.begin_transaction()
        at = confluent_kafka.TopicPartition(moving.topic, moving.partition, offset)
        producer.send_offsets_to_transaction([at], member.consumer_group_metadata())

    try:
        move_to(5)
        producer.commit_transaction()
        assert told() == {quiet: 0, moving: 5}
        move_to(7)
        assert told() == {quiet: 0}
        producer.commit_transaction()
        assert told() == {quiet: 0, moving: 7}
    finally:
        member.close()
