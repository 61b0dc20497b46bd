"""What an operator of ``stitchline identity`` can do something about: one line each, and an exit code."""

import contextlib
from collections.abc import Iterator
from typing import Final

import confluent_kafka
import typer

from connectors.sources.choose import UnknownFormatError
from connectors.sources.delimited import MissingColumnsError
from connectors.sources.mapping import MappingError
from pipeline.cli.connect import NoKafkaError
from pipeline.rules.problem import RulesError
from pipeline.serve.decide import DecisionError
from pipeline.serve.naming import NotAnIdentifierError
from pipeline.serve.reading import MissingTopicError
from pipeline.stream.registry import RegistryError

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
