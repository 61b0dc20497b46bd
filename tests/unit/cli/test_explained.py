"""The one line with which a command ends."""

import pytest
import typer
from confluent_kafka import KafkaError, KafkaException

from pipeline.cli.explained import explained
from pipeline.errors import MisuseError, OperatorError

REFUSED = (
    "stitchline: Kafka refused: Broker: Topic authorization failed (TOPIC_AUTHORIZATION_FAILED); run: stitchline doctor"
)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OperatorError("the reason; what to do"), "stitchline: the reason; what to do"),
        (
            KafkaException(KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)),
            "stitchline: Kafka is still loading (Broker: Coordinator load in progress); try again in a few seconds",
        ),
        (
            KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)),
            REFUSED,
        ),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, explained(KafkaException):
        raise error
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err.splitlines() == [line]


def test_misuse_has_its_own_exit_code_and_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(typer.Exit) as ended, explained():
        raise MisuseError("x")  # noqa: EM101
    assert ended.value.exit_code == 2
    with pytest.raises(KafkaException), explained():
        raise KafkaException(KafkaError(KafkaError._FAIL))
