"""What an operator of ``stitchline identity`` can do something about: one line each, and an exit code."""

import contextlib
from collections.abc import Iterator
from typing import Final

import confluent_kafka
import typer

from connectors.sources.choose import UnknownFormatError
from connectors.sources.delimited import MissingColumnsError
from connectors.sources.mapping import MappingError
from pipeline.avro.registry import RegistryError
from pipeline.cli.connect import NoKafkaError
from pipeline.control.decide import DecisionError
from pipeline.kafka.reading import MissingTopicError
from pipeline.query.naming import NotAnIdentifierError
from pipeline.rules.problem import RulesError

FAILED, MISUSED, SOME_REJECTED, UNKNOWN = 1, 2, 3, 4
CODES: Final[dict[type[BaseException], int]] = {NotAnIdentifierError: MISUSED}
EXPECTED: Final[tuple[type[BaseException], ...]] = (
    DecisionError,
    MappingError,
    MissingColumnsError,
    MissingTopicError,
    NoKafkaError,
    OSError,
    RegistryError,
    RulesError,
    UnknownFormatError,
    confluent_kafka.KafkaException,
    *CODES,
)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """An error that the operator can mend is one line; any other keeps its traceback."""
    try:
        yield
    except EXPECTED as error:
        typer.echo(f"stitchline: {error}", err=True)
        raise typer.Exit(CODES.get(type(error), FAILED)) from error
