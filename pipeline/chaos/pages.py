"""The health pages of a worker as short texts."""

import http.client
import re
from typing import Final

import msgspec

from pipeline.local.ports import LOOPBACK

PAGE_SECONDS: Final = 1.0
NO_ANSWER: Final = "no answer"
_RESTORING: Final = re.compile(r".*partitions? .*restoring")


def page(port: int, path: str) -> str:
    """Returns the status and the reasons of a health page, numbers left out; :data:`NO_ANSWER` without one."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PAGE_SECONDS)
    try:
        connection.request("GET", f"/{path}")
        response = connection.getresponse()
        reasons = msgspec.json.decode(response.read())["reasons"]
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return NO_ANSWER
    finally:
        connection.close()
    kinds = sorted({re.sub(r"\d+", "N", _RESTORING.sub("restoring", reason)) for reason in reasons})
    return f"{response.status} {'; '.join(kinds)}".strip()
