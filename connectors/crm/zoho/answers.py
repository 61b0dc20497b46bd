"""What Zoho's answers mean. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.crm.exchange import Answer, dicts_in
from connectors.crm.fault import BY_STATUS, Fault, stop_for
from connectors.crm.split import Batch, Failed, Result, Written
from connectors.crm.zoho.calls import CONVERTED, CONVERTED_CONTACT, NAMES

CRM: Final = "Zoho"
_BY_STATUS: Final = BY_STATUS | {409: Fault.TRY_AGAIN}
_BY_CODE: Final = {
    "INVALID_TOKEN": Fault.KEY_REFUSED,
    "AUTHENTICATION_FAILURE": Fault.KEY_REFUSED,
    "OAUTH_SCOPE_MISMATCH": Fault.RIGHT_MISSING,
    "NO_PERMISSION": Fault.RIGHT_MISSING,
    "AUTHORIZATION_FAILED": Fault.RIGHT_MISSING,
    "TOO_MANY_REQUESTS": Fault.SLOW_DOWN,
    "LIMIT_EXCEEDED": Fault.QUOTA,
    "API_LIMIT_EXCEEDED": Fault.QUOTA,
    "INTERNAL_ERROR": Fault.SERVER_ERROR,
    "RECORD_LOCKED": Fault.TRY_AGAIN,
    "DUPLICATE_DATA": Fault.CONFLICT,
    "MULTIPLE_OR_MULTI_ERRORS": Fault.BAD_RECORD,
    "RECORD_IN_BLUEPRINT": Fault.AMBIGUOUS,  # a person moves the record on, or releases it
    "NOT_APPROVED": Fault.AMBIGUOUS,
    "CONVERTED_RECORD": Fault.GONE,
    "ID_ALREADY_CONVERTED": Fault.GONE,
    "RECORD_NOT_FOUND": Fault.GONE,
}
INVALID_OWNER: Final = "Owner"


def share_used(headers: Mapping[str, str], total: int) -> float:
    """Returns the used part of the day's ``total`` credits; 0.0 if the headers or ``crm.yaml`` do not state it.

    Zoho states the credits that are left only after half of them are used.
    """
    left = headers.get("x-api-credits-remaining", "")
    if not left.isdecimal():
        return 0.0
    return max(0.0, 1 - int(left) / total) if total else float(int(left) == 0)


def checked(answer: Answer) -> Failed | None:
    """Returns the fault of an answer that concerns its records; None for 2xx.

    Raises:
        StoppedError: The whole sink has to pause.
        SinkError: A right is missing.
    """
    if answer.ok:
        return None
    body = answer.body if isinstance(answer.body, dict) else {}
    fault = _BY_CODE.get(str(body.get("code")), _BY_STATUS.get(answer.status, Fault.OUTAGE))
    words = _words(body) if body else answer.text or "no reason given"
    stop_for(fault, answer, CRM, words)
    return Failed(fault, answer.words_with(words))


def batch_of(answer: Answer, count: int, *, key: str = "data") -> Batch:
    """Returns the results of a bulk request, in the order of its records.

    An answer with another number of results settles nothing: it does not state which of them are missing.
    """
    body = answer.body if isinstance(answer.body, dict) else {}
    results = dicts_in(body.get(key))
    if not results and (failed := checked(answer)):
        return Batch(whole=failed)
    if len(results) != count:
        return Batch(results=[None] * count)
    return Batch(results=[_result(one) for one in results])


def rows_of(answer: Answer, *, key: str = "data") -> list[dict[str, Any]]:
    """Returns the records of a read. Zoho answers 204 without a body if there are none.

    Raises:
        StoppedError: The whole sink has to pause.
        SinkError: A right is missing.
    """
    failed = checked(answer)
    if failed is not None and failed.fault is not Fault.GONE:
        stop_for(Fault.OUTAGE, answer, CRM)
    return dicts_in(answer.body.get(key)) if answer.ok and isinstance(answer.body, dict) else []


def is_converted(row: Mapping[str, Any]) -> bool:
    """Returns whether a lead was converted."""
    return row.get(CONVERTED) is True or row.get("$converted") is True


def contact_of(row: Mapping[str, Any]) -> str:
    """Returns the id of the contact of a converted lead; "" if the record does not state it."""
    detail = row.get("$converted_detail")
    contact = row.get(CONVERTED_CONTACT) or (detail.get("contact") if isinstance(detail, dict) else None)
    return str((contact.get("id") if isinstance(contact, dict) else contact) or "")


def _result(result: Mapping[str, Any]) -> Result:
    details = result.get("details")
    details = details if isinstance(details, dict) else {}
    if result.get("status") == "success":
        if not details.get("id"):
            return Failed(Fault.NO_RESULT, "success without an id")
        return Written(str(details["id"]), is_new=result.get("action") == "insert")
    fault = _BY_CODE.get(str(result.get("code")), Fault.BAD_RECORD)
    if fault is Fault.BAD_RECORD and details.get("api_name") == "id":
        fault = Fault.GONE  # the record was deleted or merged
    if fault is not Fault.CONFLICT:
        return Failed(fault, _words(result))
    other = details.get("duplicate_record")
    existing = str((other.get("id") if isinstance(other, dict) else None) or details.get("id") or "")
    if not existing:
        return Failed(Fault.AMBIGUOUS, _words(result))
    return Failed(fault, _words(result), existing, details.get("api_name") == NAMES.action)


def names_owner(failed: Failed) -> bool:
    """Returns whether Zoho refuses the owner of a record."""
    return failed.fault is Fault.BAD_RECORD and f"({INVALID_OWNER}" in failed.words


def _words(error: Mapping[str, Any]) -> str:
    details = error.get("details")
    field = (details.get("api_name") or details.get("column_name")) if isinstance(details, dict) else None
    return f"{error.get('code', 'error')}: {error.get('message', '')}" + (f" ({field})" if field else "")
