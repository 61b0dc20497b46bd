"""The health pages of a worker as short texts."""

import http.client
import re
from typing import Final

import msgspec

from pipeline.local.ports import LOOPBACK
from pipeline.obs.metrics import HELD

PAGE_SECONDS: Final = 1.0
NO_ANSWER: Final = "no answer"
_RESTORING: Final = re.compile(r".*partitions? .*restoring")


def held_records(port: int) -> float | None:
    """Returns how many records a worker holds behind watermarks, by its metrics; None if it does not answer."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PAGE_SECONDS)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(HELD.name + "{"))


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
