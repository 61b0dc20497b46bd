"""The listening socket of a server whose address is set by two settings."""

import socket
from typing import Final

from pipeline.errors import OperatorError

BACKLOG: Final = 2048
"""Connections that wait to be accepted."""


def listening_socket(host: str, port: int, prefix: str, error: type[OperatorError]) -> socket.socket:
    """Returns a non-blocking socket that listens; port 0 chooses a free one.

    ``prefix`` is that of the two settings, as in ``SERVE``.

    Raises:
        OperatorError: of the type ``error``: the address is taken, or is none of this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as problem:
        message = (
            f"cannot listen on {host}:{port} ({problem.strerror}); set STITCHLINE_{prefix}_HOST and "
            f"STITCHLINE_{prefix}_PORT to a free address of this machine"
        )
        raise error(message) from problem
    bound.setblocking(False)
    return bound
