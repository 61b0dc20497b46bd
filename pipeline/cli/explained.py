"""How a command ends on what the operator can mend."""

import contextlib
from collections.abc import Iterator

import typer

FAILED = 1


@contextlib.contextmanager
def explained(expected: tuple[type[BaseException], ...]) -> Iterator[None]:
    """An error that the operator can mend is one line and exit code 1; any other keeps its traceback."""
    try:
        yield
    except expected as error:
        typer.echo(f"stitchline: {error}", err=True)
        raise typer.Exit(FAILED) from error
