"""Secrets of other systems: read from an environment variable or a file each time they are needed, never stored."""

import os
from pathlib import Path

from pipeline.errors import SecretError


def read_secret(reference: str) -> str:
    """Returns the secret of a reference: ``env:VARIABLE`` or ``file:/path``, without surrounding white space.

    Raises:
        SecretError: The variable is not set, the file cannot be read, or it is empty.
    """
    kind, _, place = reference.partition(":")
    if kind == "env":
        secret = os.environ.get(place, "").strip()
        if not secret:
            message = f"environment variable {place} is not set: it has to hold the CRM's access key"
            raise SecretError(message)
        return secret
    try:
        secret = Path(place).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{place}: cannot be read as the CRM's access key ({type(error).__name__})"
        raise SecretError(message) from error
    if not secret:
        message = f"{place} is empty: it has to hold the CRM's access key"
        raise SecretError(message)
    return secret
