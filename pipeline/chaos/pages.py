"""The pages of a worker: health as short texts, and one figure of its metrics."""

import http.client
import re
from typing import Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from pipeline.local.ports import LOOPBACK
from pipeline.obs.metrics import HELD
from pipeline.stream.ownership import StagePartition

PAGE_SECONDS: Final = 1.0
NO_ANSWER: Final = "no answer"
_RESTORING: Final = re.compile(r".*partitions? .*restoring")


def held_records(port: int) -> dict[StagePartition, float]:
    """Returns how many records a worker holds behind watermarks, by its metrics.

    Contains only partitions whose state is restored; empty if the worker does not answer.
    """
    answer = _get(port, "metrics")
    families = text_string_to_metric_families(answer[1].decode()) if answer is not None else ()
    samples = [sample for family in families for sample in family.samples if sample.name == HELD.name]
    return {StagePartition(sample.labels["stage"], int(sample.labels["partition"])): sample.value for sample in samples}


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
