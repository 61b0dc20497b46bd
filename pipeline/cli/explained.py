"""How a command ends on what its operator can put right: one line on stderr and an exit code."""

import contextlib
import sys
from collections.abc import Iterator
from typing import NoReturn

import typer

from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.printed import print_line
from pipeline.errors import MisuseError, OperatorError


@contextlib.contextmanager
def explained(*libraries: type[Exception]) -> Iterator[None]:
    """End the command on an :class:`OperatorError` or an error of ``libraries``.

    Any other exception is a defect and keeps its traceback.
    """
    expected: tuple[type[Exception], ...] = (OperatorError, *libraries)
    try:
        yield
    except expected as error:
        code = ExitCode.MISUSED if isinstance(error, MisuseError) else ExitCode.FAILED
        complain(text_of(error))
        raise typer.Exit(code) from error


def text_of(error: Exception) -> str:
    """Returns the message of an error that ends a command."""
    if "confluent_kafka" not in sys.modules:  # it is no error of Kafka, and the library takes long to load
        return str(error)
    from pipeline.kafka.faults import explained_fault  # noqa: PLC0415

    return explained_fault(error)


def fail(message: str, code: ExitCode) -> NoReturn:
    """End the command with a line that says what is wrong and what to do."""
    complain(message)
    raise typer.Exit(code)


def complain(message: str) -> None:
    """Print a line of ``stitchline:`` to stderr."""
    print_line(f"stitchline: {message}", err=True)
