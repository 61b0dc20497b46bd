"""The only way of a line or a JSON document to standard output and standard error."""

from typing import Any

import msgspec
import typer

from pipeline.printable import printable_json, printable_lines


def print_line(text: str, *, err: bool = False) -> None:
    """Print text, with control characters other than line feeds escaped."""
    typer.echo(printable_lines(text), err=err)


def print_json(document: Any, *, indent: int = 0) -> None:
    """Print a document as JSON, in one line or indented."""
    encoded = msgspec.json.encode(document)
    typer.echo(printable_json((msgspec.json.format(encoded, indent=indent) if indent else encoded).decode()))
