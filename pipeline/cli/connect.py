"""The settings of a command that needs Kafka: as configured, else the local Kafka that runs for this home folder."""

from pipeline.errors import OperatorError
from pipeline.local import detached
from pipeline.settings import Settings


class NoKafkaError(OperatorError):
    """No broker is configured and none runs here.

    Operator action: set STITCHLINE_BOOTSTRAP_SERVERS, or run ``stitchline kafka start``.
    """


def connected(settings: Settings) -> Settings:
    """The settings with ``bootstrap_servers`` filled in.

    Raises:
        NoKafkaError: there is nothing to fill in.
    """
    if settings.bootstrap_servers:
        return settings
    running = detached.find(settings.home, "kafka")
    if running is None:
        message = "no Kafka: set STITCHLINE_BOOTSTRAP_SERVERS, or start the local one with: stitchline kafka start"
        raise NoKafkaError(message)
    return settings.model_copy(update={"bootstrap_servers": running.address})
