"""The version of the installed package."""

from importlib.metadata import version as installed


def version() -> str:
    """Returns the version of the installed package, such as ``0.1.0``."""
    return installed("stitchline")
