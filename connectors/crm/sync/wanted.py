"""What the CRM should hold of a profile: field → text. Pure."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from connectors.crm.ledger_row import value_hash
from connectors.crm.typed import canonical
from connectors.crm.values import number_text
from pipeline.profile.fold import permits
from pipeline.rules.crm_sync import GRADE, PREDICTION, SCORE, SEGMENTS, SEPARATOR, CrmSync, SyncField

ACTIVE: Final = "active"
FALSE: Final = "false"
EMPTY: Final = ("", FALSE)
"""Values that are not written to a field that Stitchline has never filled."""
_MAPS: Final = {SCORE: "scores", PREDICTION: "predictions"}
_json = msgspec.json.Decoder(dict[str, Any]).decode


def wanted_of(update: Mapping[str, Any], sync: CrmSync) -> dict[str, str]:
    """Returns field → text of a record of the profile updates; blanks if the profile is gone or denies its consent."""
    if update["status"] != ACTIVE or not _permits(update, sync):
        return {}
    traits = _json(update["traits"]) if any(field.value.startswith("trait.") for field in sync.fields) else {}
    return {field.to: _value(field, update, traits) for field in sync.fields}


def blank(field: SyncField) -> str:
    """Returns what a field of a customer that is gone holds."""
    return FALSE if field.is_membership else ""


def differences(
    fields: Mapping[str, SyncField], wanted: Mapping[str, str], kinds: Mapping[str, str], written: Mapping[str, str]
) -> dict[str, str]:
    """Returns the fields whose value is not the one last written, in the forms of their kinds.

    ``fields`` are those of the object's type, ``kinds`` what the CRM has, ``written`` field → hash. A field that was
    never filled is left alone until there is a value.
    """
    changed: dict[str, str] = {}
    for name, field in fields.items():
        if name not in kinds:
            continue
        value = canonical(wanted.get(name, blank(field)), kinds[name])
        if written.get(name) != value_hash(value) and (value not in EMPTY or name in written):
            changed[name] = value
    return changed


def _permits(update: Mapping[str, Any], sync: CrmSync) -> bool:
    if not sync.consent:
        return True
    return permits(_json(update["consent"]), sync.consent, must_be_granted=sync.consent_required)


def _value(field: SyncField, update: Mapping[str, Any], traits: Mapping[str, Any]) -> str:
    if field.value == SEGMENTS:
        return SEPARATOR.join(name for name in field.segments if name in update["segments"])
    if field.value == GRADE:
        return str(update["grade"])
    family, _, name = field.value.partition(".")
    if field.is_membership:
        return "true" if name in update["segments"] else FALSE
    if family in _MAPS:
        number = update[_MAPS[family]].get(name)
        return "" if number is None else number_text(round(float(number), field.decimals) + 0.0)
    return _text(traits.get(name))


def _text(value: Any) -> str:
    """Returns a trait as text: scalars, and lists of scalars separated by semicolons; "" for any other value."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return SEPARATOR.join(text for one in value if not isinstance(one, list) and (text := _text(one)))
    return number_text(value) if isinstance(value, str | int | float) else ""
