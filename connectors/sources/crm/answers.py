"""What the answers of any CRM mean to a reader. Pure."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from connectors.crm.exchange import Answer
from connectors.crm.fault import PASSING, StoppedError
from connectors.crm.sink import Pause, SinkError
from connectors.crm.split import Failed
from pipeline.event.event_time import read_time

Classify: TypeAlias = Callable[[Answer], Failed | None]
"""Returns what a CRM's refusal means to one request; raises if it concerns all requests, as those of its sink do."""
NOT_FOUND: Final = frozenset({404, 410})
_REFUSED: Final = frozenset({405, 410, 413, 414, 422})
"""Statuses that no repetition changes."""


def checked(answer: Answer, crm: str, classify: Classify) -> Any:
    """Returns the body of an answer.

    Raises:
        StoppedError: The CRM is not available now, or limits the requests.
        SinkError: A right is missing, or the CRM refuses the request itself.
    """
    if answer.ok:
        if isinstance(answer.body, dict):
            return answer.body
        raise StoppedError(Pause(0, f"{crm} gave no usable answer, {answer.words()}"))
    failed = None if answer.status in _REFUSED else classify(answer)
    if failed is not None and failed.fault in PASSING:
        raise StoppedError(Pause(answer.retry_after_ms, failed.words))
    words = answer.words() if failed is None else failed.words
    message = f"{crm} refuses to be read ({words}); correct the connection in crm.yaml"
    raise SinkError(message)


def text(value: Any) -> str:
    """Returns a value of a CRM as text; "" for an empty one, numbers without a trailing zero."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def millis(value: Any) -> int:
    """Returns a time, as ISO 8601 or in milliseconds, in milliseconds; 0 for none."""
    return read_time(int(value) if isinstance(value, str) and value.isdecimal() else value) or 0 if value else 0
