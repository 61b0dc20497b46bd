"""What HubSpot's answers mean. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.crm.exchange import Answer, dicts_in
from connectors.crm.fault import BY_STATUS, Fault, stop_for
from connectors.crm.split import Batch, Failed, Result, Written

CRM: Final = "HubSpot"
KEY_HEADER: Final = "objectWriteTraceId"
_EXISTING: Final = re.compile(r"Existing ID: (\d+)")
_BY_STATUS: Final = BY_STATUS | {409: Fault.CONFLICT, 422: Fault.BAD_RECORD}
_BY_CATEGORY: Final = {
    "CONFLICT": Fault.CONFLICT,
    "OBJECT_NOT_FOUND": Fault.GONE,
    "VALIDATION_ERROR": Fault.BAD_RECORD,
    "RATE_LIMITS": Fault.SLOW_DOWN,
}


def fault_of(answer: Answer) -> Fault | None:
    """Returns the fault of an answer; None for 2xx. Statuses that are not listed are outages, which only pause."""
    return None if answer.ok else _BY_STATUS.get(answer.status, Fault.OUTAGE)


def checked(answer: Answer) -> Failed | None:
    """Returns the fault of an answer that concerns its records; None for 2xx.

    Raises:
        StoppedError: The whole sink has to pause.
        SinkError: A right is missing.
    """
    fault = fault_of(answer)
    if fault is None:
        return None
    if fault is Fault.SLOW_DOWN and isinstance(answer.body, dict) and answer.body.get("policyName") == "DAILY":
        fault = Fault.QUOTA
    stop_for(fault, answer, CRM)
    return _with_existing(fault, answer.words())


def names_unknown_property(failed: Failed) -> bool:
    """Returns whether a fault is a property that HubSpot does not have, so that every record would be refused."""
    return failed.fault is Fault.BAD_RECORD and (
        "PROPERTY_DOESNT_EXIST" in failed.words or "does not exist" in failed.words
    )


def batch_of(answer: Answer, keys: Sequence[str], *, key_property: str) -> Batch:
    """Returns the results of a batch request by the trace ids of its inputs, in the order of ``keys``.

    A result without a trace id is matched by ``key_property``, or by its own id.
    """
    if failed := checked(answer):
        return Batch(whole=failed)
    body = answer.body if isinstance(answer.body, dict) else {}
    results: dict[str, Result] = {}
    for error in dicts_in(body.get("errors")):
        results |= {key: _failed(error) for key in _keys_of(error)}
    for result in dicts_in(body.get("results")):
        properties = result.get("properties") or {}
        own = (result.get(KEY_HEADER), properties.get(key_property), result.get("id"))
        for key in own:
            if isinstance(key, str) and key in keys:
                results[key] = Written(str(result.get("id", "")), properties)
                break
    return Batch(results=[results.get(key) for key in keys], has_errors=bool(body.get("errors")))


def rows_of(answer: Answer) -> dict[str, dict[str, str | None]]:
    """Returns object id → properties of a batch read. Omits objects that HubSpot does not find.

    Raises:
        StoppedError: The whole sink has to pause.
        SinkError: A right is missing, or the request itself is wrong.
    """
    failed = checked(answer)
    body = answer.body if isinstance(answer.body, dict) else {}
    if failed is not None and failed.fault is not Fault.GONE:
        stop_for(Fault.OUTAGE, answer, CRM)
    return {str(row["id"]): row.get("properties") or {} for row in dicts_in(body.get("results")) if "id" in row}


def share_used(headers: Mapping[str, str], total: int = 0) -> float:
    """Returns the used part of the day's requests; 0.0 if the headers do not state it. They state the total, too."""
    del total
    limit, left = (headers.get(f"x-hubspot-ratelimit-daily{end}", "") for end in ("", "-remaining"))
    return 1 - int(left) / int(limit) if limit.isdecimal() and left.isdecimal() and int(limit) else 0.0


def associated(answer: Answer) -> set[str]:
    """Returns the ids of all objects that the answer to an association request mentions as associated."""
    body = answer.body if answer.ok and isinstance(answer.body, dict) else {}
    ends = [result.get(end) for result in dicts_in(body.get("results")) for end in ("from", "to")]
    return {str(end["id"]) for end in ends if isinstance(end, dict) and "id" in end}


def _failed(error: Mapping[str, Any]) -> Failed:
    words = str(error.get("message", "no reason given"))
    fault = _BY_CATEGORY.get(str(error.get("category")), Fault.BAD_RECORD)
    return _with_existing(fault, words)


def _with_existing(fault: Fault, words: str) -> Failed:
    """Returns a fault with the object it collides with. A conflict that names none is a change at the same time."""
    existing = _EXISTING.search(words)
    if fault is Fault.CONFLICT and existing is None:
        fault = Fault.TRY_AGAIN
    return Failed(fault, words, existing[1] if existing else "")


def _keys_of(error: Mapping[str, Any]) -> list[str]:
    context = error.get("context") or {}
    keys = context.get(KEY_HEADER) or context.get("ids") or context.get("id") or []
    return [str(key) for key in keys] if isinstance(keys, list) else [str(keys)]
