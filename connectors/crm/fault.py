"""The kinds of faults of all CRMs, and what each does to an action or to the whole sink."""

from enum import StrEnum
from typing import Final, NoReturn

from connectors.crm.exchange import NO_ANSWER, Answer
from connectors.crm.sink import Pause, SinkError


class Fault(StrEnum):
    """A kind of fault. A mapper classifies the CRM's answers; the reaction is the same for every CRM."""

    KEY_REFUSED = "key_refused"
    """Pause: the access key is refused, also after it was read again."""
    SLOW_DOWN = "slow_down"
    """Pause: a limit is reached."""
    QUOTA = "quota"
    """Pause of ``QUOTA_PAUSE_MS``: the requests of the day are used."""
    OUTAGE = "outage"
    """Pause: the CRM is not available, or gave no answer."""
    RIGHT_MISSING = "right_missing"
    """Stops the sink: no action can be delivered before the right is granted."""
    SERVER_ERROR = "server_error"
    """The CRM failed, perhaps because of one record: the batch is split to find it."""
    BAD_RECORD = "bad_record"
    """Quarantines the record that causes it; the batch is split to find it."""
    CONFLICT = "conflict"
    """The record collides with another one; the batch is split to find it."""
    TRY_AGAIN = "try_again"
    """A passing fault of one record, such as a lock: it is tried again."""
    AMBIGUOUS = "ambiguous"
    """Several records match: a person has to decide."""
    GONE = "gone"
    """The object was deleted, merged or converted."""
    NO_RESULT = "no_result"
    """The CRM reported success without a result for the record: not delivered."""


QUOTA_PAUSE_MS: Final = 3_600_000
"""Time between two tries while the requests of the day are used up, if the CRM states none."""
BY_STATUS: Final = {
    NO_ANSWER: Fault.OUTAGE,
    400: Fault.BAD_RECORD,
    401: Fault.KEY_REFUSED,
    403: Fault.RIGHT_MISSING,
    404: Fault.GONE,
    413: Fault.BAD_RECORD,
    429: Fault.SLOW_DOWN,
    500: Fault.SERVER_ERROR,
}
"""What an HTTP status means in every CRM; a mapper adds its own. Statuses that are in neither are outages."""
PAUSES: Final = frozenset({Fault.KEY_REFUSED, Fault.SLOW_DOWN, Fault.QUOTA, Fault.OUTAGE})
"""Faults of the whole sink, which has to wait."""
PASSING: Final = frozenset({Fault.SERVER_ERROR, Fault.TRY_AGAIN, Fault.NO_RESULT})
"""Faults of single requests that pass: a repetition may succeed."""


class StoppedError(Exception):
    """No further request can be sent now; the sink pauses."""

    def __init__(self, pause: Pause) -> None:
        super().__init__(pause.reason)
        self.pause = pause


def stop_for(fault: Fault, answer: Answer, crm: str, message: str = "") -> None:
    """Returns if the fault concerns single records only. ``message`` replaces the message of the answer.

    Raises:
        StoppedError: The whole sink has to pause.
        SinkError: A right is missing.
    """
    words = answer.words_with(message) if message else answer.words()
    if fault is Fault.RIGHT_MISSING:
        missing_right(crm, words)
    if fault in PAUSES:
        raise StoppedError(pause_for(fault, words, answer.retry_after_ms))


def pause_for(fault: Fault, words: str, after_ms: int = 0) -> Pause:
    """Returns the pause of the whole sink for a fault."""
    return Pause(after_ms or (QUOTA_PAUSE_MS if fault is Fault.QUOTA else 0), f"{fault}, {words}")


def missing_right(crm: str, words: str) -> NoReturn:
    """Raises the error of a missing right."""
    message = f"{crm} denies a right ({words}); grant it to the access key, then start again"
    raise SinkError(message)
