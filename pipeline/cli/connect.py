"""The settings of a command that needs Kafka: as configured, else the local Kafka that runs for this home folder."""

from pipeline.errors import OperatorError
from pipeline.kafka.reach import NoBrokerError, cluster
from pipeline.local import detached
from pipeline.settings import Settings


class NoKafkaError(OperatorError):
    """No broker is configured and none runs here, or the configured brokers cannot be used.

    Operator action: set STITCHLINE_BOOTSTRAP_SERVERS, or run ``stitchline kafka start``; the message says which.
    """


def located(settings: Settings) -> Settings:
    """Returns the settings with ``bootstrap_servers`` filled in; no broker is contacted.

    Raises:
        NoKafkaError: There is nothing to fill in.
    """
    if settings.bootstrap_servers:
        return settings
    running = detached.find(settings.home, "kafka")
    if running is None:
        message = (
            "no Kafka: set STITCHLINE_BOOTSTRAP_SERVERS, or start the local one with: stitchline kafka start "
            "(or stitchline up, which starts workers too)"
        )
        raise NoKafkaError(message)
    return settings.model_copy(update={"bootstrap_servers": running.address})


def connected(settings: Settings) -> Settings:
    """Returns the settings with ``bootstrap_servers`` of a Kafka that answers.

    Raises:
        NoKafkaError: None is configured or running, it does not answer, or it refuses the log-in.
    """
    settings = located(settings)
    try:
        cluster(settings.kafka())
    except NoBrokerError as error:
        raise NoKafkaError(str(error)) from error
    return settings
