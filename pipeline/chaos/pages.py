"""The pages of a worker: health as short texts, and one figure of its metrics."""

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
    answer = _get(port, "metrics")
    if answer is None:
        return None
    lines = answer[1].decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(HELD.name + "{"))


def page(port: int, path: str) -> str:
    """Returns the status and the reasons of a health page, numbers left out; :data:`NO_ANSWER` without one."""
    answer = _get(port, path)
    if answer is None:
        return NO_ANSWER
    try:
        reasons = msgspec.json.decode(answer[1])["reasons"]
    except msgspec.DecodeError:
        return NO_ANSWER
    kinds = sorted({re.sub(r"\d+", "N", _RESTORING.sub("restoring", reason)) for reason in reasons})
    return f"{answer[0]} {'; '.join(kinds)}".strip()


def _get(port: int, path: str) -> tuple[int, bytes] | None:
    """Returns the status and the body of a page; None without an answer."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PAGE_SECONDS)
    try:
        connection.request("GET", f"/{path}")
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
