"""What BottleCRM's answers mean. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.crm.exchange import Answer, dicts_in
from connectors.crm.fault import BY_STATUS, Fault, stop_for
from connectors.crm.split import Failed
from connectors.crm.typed import text_of

CRM: Final = "BottleCRM"
OWNER: Final = "assigned_to"
_TAKEN: Final = "already"
"""A word of both messages for an e-mail address that another record has, and of no other message of a refused write."""


def checked(answer: Answer) -> Failed | None:
    """Returns the fault of an answer that concerns its record; None for 2xx.

    Raises:
        StoppedError: The whole sink has to pause.
        SinkError: A right is missing.
    """
    if answer.ok:
        return None
    fault, words = BY_STATUS.get(answer.status, Fault.OUTAGE), words_of(answer)
    if fault is Fault.BAD_RECORD and _TAKEN in words:
        fault = Fault.CONFLICT
    stop_for(fault, answer, CRM, words)
    return Failed(fault, answer.words_with(words))


def words_of(answer: Answer) -> str:
    """Returns the messages of a refusal with the names of their fields."""
    errors = answer.body.get("errors") if isinstance(answer.body, dict) else answer.text
    if isinstance(errors, Mapping):
        return "; ".join(f"{name}: {_joined(texts)}" for name, texts in sorted(errors.items()))
    return _joined(errors) or "no reason given"


def object_of(answer: Answer, key: str) -> dict[str, Any]:
    """Returns the object of an answer; empty without one."""
    found = answer.body.get(key) if isinstance(answer.body, dict) else None
    return found if isinstance(found, dict) else {}


def values_of(row: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, str | None]:
    """Returns the values of an object's fields. The owner is the first assigned user by id."""
    custom = row.get("custom_fields")
    stated = {**row, **(custom if isinstance(custom, dict) else {})}
    owners = sorted(str(one.get("id")) for one in dicts_in(row.get(OWNER)))
    stated[OWNER] = owners[0] if owners else None
    return {name: text_of(stated.get(name), kind) for name, kind in kinds.items()}


def _joined(texts: Any) -> str:
    return ", ".join(map(str, texts)) if isinstance(texts, list) else str(texts or "")
