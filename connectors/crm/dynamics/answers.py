"""What Dataverse's answers mean. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.crm.dynamics.calls import CONTACT, IDS, LEAD, OWNER, OWNER_READ
from connectors.crm.dynamics.multipart import answers_of
from connectors.crm.exchange import Answer, dicts_in
from connectors.crm.fault import BY_STATUS, Fault, stop_for
from connectors.crm.split import Batch, Failed, Result, Written

CRM: Final = "Dynamics"
_BY_STATUS: Final = BY_STATUS | {409: Fault.TRY_AGAIN, 412: Fault.TRY_AGAIN}
_BY_CODE: Final = {
    "0x80040237": Fault.TRY_AGAIN,  # two writers created the same row: it exists now, and is updated
    "0x80040333": Fault.AMBIGUOUS,  # the duplicate detection matches other rows
    "0x80040217": Fault.GONE,
    "0x80072321": Fault.SLOW_DOWN,
    "0x80072322": Fault.SLOW_DOWN,
    "0x80072326": Fault.SLOW_DOWN,
    "0x80040220": Fault.RIGHT_MISSING,
    "0x80040225": Fault.TRY_AGAIN,  # the owner is disabled: owners are read again, and the fallback takes over
}
DISABLED_OWNER: Final = "0x80040225"
_UNKNOWN_COLUMN: Final = ("does not exist on type", "Could not find a property named")
QUALIFIED: Final = 1
"""The state of a lead that became a contact."""


def share_used(headers: Mapping[str, str], total: int = 0) -> float:
    """Returns 0.0: Dataverse limits windows of five minutes, and states no use of the day."""
    del headers, total
    return 0.0


def checked(answer: Answer) -> Failed | None:
    """Returns the fault of an answer that concerns its records; None for 2xx.

    Raises:
        StoppedError: The whole sink has to pause.
        SinkError: A right is missing.
    """
    if answer.ok:
        return None
    failed = _failed(answer)
    stop_for(failed.fault, answer, CRM, failed.words.partition(": ")[2])
    return failed


def names_unknown_column(failed: Failed) -> bool:
    """Returns whether a fault is a column that the table does not have, so that every record would be refused."""
    return failed.fault is Fault.BAD_RECORD and any(text in failed.words for text in _UNKNOWN_COLUMN)


def batch_of(answer: Answer, count: int, object_type: str) -> Batch:
    """Returns the results of a batch, in the order of its parts.

    An organisation that stops at the first failure answers fewer parts: the others were not written. Fewer answers
    without a failure settle nothing.

    Raises:
        StoppedError: The whole sink has to pause, by the answer to the batch or to one of its parts.
        SinkError: A right is missing for the whole batch.
    """
    if failed := checked(answer):
        return Batch(whole=failed)
    results = [_result(one, object_type) for one in answers_of(answer)]
    has_errors = any(isinstance(one, Failed) for one in results)
    if len(results) > count or (len(results) < count and not has_errors):
        return Batch(results=[None] * count)
    return Batch(results=[*results, *([None] * (count - len(results)))], has_errors=has_errors)


def rows_of(answer: Answer) -> list[dict[str, Any]]:
    """Returns the rows of a query.

    Raises:
        StoppedError: The whole sink has to pause.
        SinkError: A right is missing.
    """
    failed = checked(answer)
    if failed is not None and failed.fault is not Fault.GONE:
        stop_for(Fault.OUTAGE, answer, CRM)
    return dicts_in(answer.body.get("value")) if answer.ok and isinstance(answer.body, dict) else []


def moved_to(object_type: str, row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Returns type and id of the row that this one became; "" if the contact of a lead has to be looked up."""
    if row.get("merged") is True and row.get("_masterid_value"):
        return object_type, str(row["_masterid_value"])
    if object_type == LEAD and row.get("statecode") == QUALIFIED:
        return CONTACT, ""
    return None


def _result(answer: Answer, object_type: str) -> Result:
    if not answer.ok:
        failed = _failed(answer)
        if failed.fault in {Fault.SLOW_DOWN, Fault.OUTAGE, Fault.KEY_REFUSED}:
            stop_for(failed.fault, answer, CRM)
        return failed
    row = answer.body if isinstance(answer.body, dict) else {}
    name = str(row.get(IDS[object_type]) or "")
    if not name:
        return Failed(Fault.NO_RESULT, "success without an id")
    owner = row.get(OWNER_READ)
    return Written(name, {OWNER: str(owner)} if owner else {}, is_new=answer.status == 201)


def _failed(answer: Answer) -> Failed:
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    code, message = (error.get("code", ""), error.get("message", "")) if isinstance(error, dict) else ("", answer.text)
    fault = _BY_CODE.get(str(code), _BY_STATUS.get(answer.status, Fault.OUTAGE))
    return Failed(fault, answer.words_with(f"{code} {message}".strip() or "no reason given"))


def names_disabled_owner(results: Sequence[Result | None]) -> bool:
    """Returns whether a record was refused because its owner is disabled."""
    return any(isinstance(one, Failed) and DISABLED_OWNER in one.words for one in results)
