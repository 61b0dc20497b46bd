"""Errors as librdkafka raises them, with what it says about how to go on."""

import confluent_kafka


def refusal(
    code: int, *, fatal: bool = False, retriable: bool = False, requires_abort: bool = False
) -> confluent_kafka.KafkaException:
    """Kafka said no: the end of the producer, to be asked again, or settled by an abort."""
    return confluent_kafka.KafkaException(
        confluent_kafka.KafkaError(
            code, "refused in memory", fatal=fatal, retriable=retriable, txn_requires_abort=requires_abort
        )
    )
