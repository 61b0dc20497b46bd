"""What the answers of any CRM mean to a reader. Pure."""

from typing import Any, Final

from connectors.crm.exchange import Answer
from connectors.crm.fault import StoppedError
from connectors.crm.sink import Pause, SinkError
from pipeline.event.event_time import read_time

NOT_FOUND: Final = frozenset({404, 410})
_REFUSED: Final = frozenset({400, 404, 405, 409, 410, 413, 414, 422})


def checked(answer: Answer, crm: str) -> Any:
    """Returns the body of an answer.

    Raises:
        StoppedError: The CRM is not available now, or limits the requests.
        SinkError: A right is missing, or the CRM refuses the request itself.
    """
    if answer.ok:
        if isinstance(answer.body, dict):
            return answer.body
        raise StoppedError(Pause(0, f"{crm} gave no usable answer, {answer.words()}"))
    if answer.status == 403:
        message = f"{crm} denies a right ({answer.words()}); grant it to the access key, then start the pull again"
        raise SinkError(message)
    if answer.status in _REFUSED:
        message = f"{crm} refuses to be read ({answer.words()}); correct the connection in crm.yaml"
        raise SinkError(message)
    raise StoppedError(Pause(answer.retry_after_ms, answer.words()))


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
