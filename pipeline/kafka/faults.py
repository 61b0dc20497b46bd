"""Kafka's errors as one line that says what to do."""

from confluent_kafka import KafkaError, KafkaException

from pipeline.kafka.retry import PASSING


def explained_fault(error: Exception) -> str:
    """Returns the message of any error. That of Kafka's errors is completed by what to do."""
    kafka_error = error.args[0] if isinstance(error, KafkaException) and error.args else None
    if not isinstance(kafka_error, KafkaError):
        return str(error)
    if kafka_error.code() in PASSING:
        return f"Kafka is still loading ({kafka_error.str()}); try again in a few seconds"
    return f"Kafka refused: {kafka_error.str()} ({kafka_error.name()}); run: stitchline doctor"
