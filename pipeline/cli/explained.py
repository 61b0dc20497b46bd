"""How a command ends on what the operator can mend."""

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import typer

FAILED = 1
NO_CODES: Mapping[type[BaseException], int] = MappingProxyType({})


@contextlib.contextmanager
def explained(
    expected: tuple[type[BaseException], ...], codes: Mapping[type[BaseException], int] = NO_CODES
) -> Iterator[None]:
    """An error that the operator can mend is one line and exit code 1, or its own; any other keeps its traceback."""
    try:
        yield
    except expected as error:
        typer.echo(f"stitchline: {error}", err=True)
        raise typer.Exit(codes.get(type(error), FAILED)) from error
