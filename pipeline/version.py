"""The version of the installed package."""

from importlib.metadata import version as installed


def version() -> str:
    """The version that the package was installed as, ``0.1.0``."""
    return installed("stitchline")
