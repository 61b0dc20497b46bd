"""What Salesforce's answers mean. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.crm.exchange import Answer, dicts_in
from connectors.crm.fault import BY_STATUS, Fault, stop_for
from connectors.crm.salesforce.calls import CONTACT, LEAD, NAMES
from connectors.crm.split import Batch, Failed, Result, Written

CRM: Final = "Salesforce"
_BY_STATUS: Final = BY_STATUS | {
    300: Fault.AMBIGUOUS,
    409: Fault.TRY_AGAIN,
    412: Fault.TRY_AGAIN,
    414: Fault.BAD_RECORD,
}
_BY_CODE: Final = {
    "INVALID_SESSION_ID": Fault.KEY_REFUSED,
    "REQUEST_LIMIT_EXCEEDED": Fault.QUOTA,
    "SERVER_UNAVAILABLE": Fault.OUTAGE,
    "UNABLE_TO_LOCK_ROW": Fault.TRY_AGAIN,
    "QUERY_TIMEOUT": Fault.TRY_AGAIN,
    "INACTIVE_OWNER_OR_USER": Fault.TRY_AGAIN,  # the owners are read again, and the fallback takes over
    "CANNOT_UPDATE_CONVERTED_LEAD": Fault.GONE,
    "ENTITY_IS_DELETED": Fault.GONE,
    "NOT_FOUND": Fault.GONE,
    "DUPLICATE_VALUE": Fault.CONFLICT,
    "DUPLICATES_DETECTED": Fault.CONFLICT,
    "DUPLICATE_EXTERNAL_ID": Fault.AMBIGUOUS,
    "INSUFFICIENT_ACCESS": Fault.RIGHT_MISSING,
    "INSUFFICIENT_ACCESS_OR_READONLY": Fault.RIGHT_MISSING,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": Fault.RIGHT_MISSING,
    "API_DISABLED_FOR_ORG": Fault.RIGHT_MISSING,
}
_VANISHED: Final = frozenset({"INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE"})
_OWN_RECORD: Final = re.compile(r"record with id: ?(\w{15,18})")
_TYPES: Final = {"00Q": LEAD, "003": CONTACT}
_USAGE: Final = re.compile(r"api-usage=(\d+)/(\d+)")


def share_used(headers: Mapping[str, str], total: int = 0) -> float:
    """Returns the used part of the day's requests; 0.0 if the headers do not state it. They state the total, too.

    >>> share_used({"sforce-limit-info": "api-usage=10018/100000; api-bursts=1/750"})
    0.10018
    """
    del total
    usage = _USAGE.search(headers.get("sforce-limit-info", ""))
    return int(usage[1]) / int(usage[2]) if usage and int(usage[2]) else 0.0


def checked(answer: Answer) -> Failed | None:
    """Returns the fault of an answer that concerns its records; None for 2xx.

    Raises:
        StoppedError: The whole sink has to pause.
        SinkError: A right is missing.
    """
    if answer.ok:
        return None
    errors = dicts_in(answer.body)
    message = _words(errors) or answer.text or "no reason given"
    fault = _BY_STATUS.get(answer.status, Fault.OUTAGE)
    if errors:
        fault = _fault_of(errors[0]) or fault
    stop_for(fault, answer, CRM, message)
    return Failed(fault, answer.words_with(message))


def names_unknown_field(failed: Failed) -> bool:
    """Returns whether a fault is a field that the user cannot write, so that every record would be refused."""
    return failed.fault is Fault.BAD_RECORD and any(f"{code}:" in failed.words for code in _VANISHED)


def batch_of(answer: Answer, count: int) -> Batch:
    """Returns the results of a collection, in the order of its records.

    An answer with another number of results settles nothing: it does not state which of them are missing.
    """
    if failed := checked(answer):
        return Batch(whole=failed)
    results = dicts_in(answer.body)
    if len(results) != count:
        return Batch(results=[None] * count)
    return Batch(results=[_result(one) for one in results])


def rows_of(answer: Answer) -> list[dict[str, Any]]:
    """Returns the rows of a query or of a retrieval. Omits objects that Salesforce does not find.

    Raises:
        StoppedError: The whole sink has to pause.
        SinkError: A right is missing.
    """
    failed = checked(answer)
    if failed is not None:
        stop_for(Fault.OUTAGE, answer, CRM)
    rows = answer.body.get("records") if isinstance(answer.body, dict) else answer.body
    return dicts_in(rows)


def _result(result: Mapping[str, Any]) -> Result:
    if result.get("success") is True and result.get("id"):
        return Written(str(result["id"]), is_new=result.get("created") is True)
    errors = dicts_in(result.get("errors"))
    if not errors:
        return Failed(Fault.NO_RESULT, "success without an id" if result.get("success") else "refused without a reason")
    fault, words = _fault_of(errors[0]) or Fault.BAD_RECORD, _words(errors)
    if fault is not Fault.CONFLICT:
        return Failed(fault, words)
    if own := _OWN_RECORD.search(words):
        return Failed(fault, words, own[1], NAMES.action in words, _TYPES.get(own[1][:3], ""))
    matches = _matches(errors[0])
    if len(matches) != 1:
        return Failed(Fault.AMBIGUOUS, words)
    return Failed(fault, words, matches[0], existing_type=_TYPES.get(matches[0][:3], ""))


def _matches(error: Mapping[str, Any]) -> list[str]:
    """Returns the ids of leads and contacts that a duplicate rule names."""
    found = error.get("duplicateResult") or {}
    records = [
        match.get("record") or {}
        for result in dicts_in(found.get("matchResults") if isinstance(found, dict) else None)
        for match in dicts_in(result.get("matchRecords"))
    ]
    ids = [str(record.get("Id") or record.get("id") or "") for record in records if isinstance(record, dict)]
    return [name for name in ids if name[:3] in _TYPES]


def _fault_of(error: Mapping[str, Any]) -> Fault | None:
    code = _code(error)
    if code == "REQUEST_LIMIT_EXCEEDED" and "concurrent" in str(error.get("message", "")).lower():
        return Fault.SLOW_DOWN
    return _BY_CODE.get(code)


def _code(error: Mapping[str, Any]) -> str:
    return str(error.get("errorCode") or error.get("statusCode") or "")  # errors of a collection's items: statusCode


def _words(errors: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{_code(one)}: {one.get('message', '')}" for one in errors)
