"""Errors of librdkafka, with the flags that classify them."""

import confluent_kafka


def refusal(
    code: int, *, fatal: bool = False, retriable: bool = False, requires_abort: bool = False
) -> confluent_kafka.KafkaException:
    """Returns an error that is fatal for the producer, retriable, or requires an abort."""
    return confluent_kafka.KafkaException(
        confluent_kafka.KafkaError(
            code, "refused in memory", fatal=fatal, retriable=retriable, txn_requires_abort=requires_abort
        )
    )
