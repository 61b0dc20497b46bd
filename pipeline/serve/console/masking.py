"""What roles without the right to personal data see in its place."""

from collections.abc import Sequence
from typing import Any, Final

from pipeline.event.identifier import identifier, type_of, value_of

HIDDEN: Final = "•••"


def masked_identifier(text: str) -> str:
    """Returns an identifier by which two can be told apart at a glance, and no person found.

    >>> masked_identifier("email:anna@example.com"), masked_identifier("device_id:d-4711")
    ('email:a•••', 'device_id:d•••')
    """
    return identifier(type_of(text), value_of(text)[:1] + HIDDEN)


def masked_identifiers(texts: Sequence[str]) -> list[str]:
    """Returns the identifiers masked, in the same order."""
    return [masked_identifier(text) for text in texts]


def masked_view(view: dict[str, Any]) -> dict[str, Any]:
    """Returns the view of a profile without personal data: traits and details are hidden, identifiers masked."""
    return view | {
        "identifiers": _masked_keys(view["identifiers"]),
        "traits": {name: trait | {"value": HIDDEN} for name, trait in view["traits"].items()},
        "accounts": {},
        "timeline": [entry | {"detail": "", "summary": ""} for entry in view["timeline"]],
        "cart": {} if not view["cart"] else view["cart"] | {"items": []},
    }


def masked_action(action: dict[str, Any]) -> dict[str, Any]:
    """Returns a CRM action without personal data."""
    return action | {
        "contact": {},
        "identifiers": masked_identifiers(action["identifiers"]),
        "timeline": [entry | {"summary": entry["name"] or entry["type"]} for entry in action["timeline"]],
        "cart": "{ }",
    }


def masked_change(change: dict[str, Any]) -> dict[str, Any]:
    """Returns an identity change without personal data."""
    return change | {
        "identifiers": masked_identifiers(change["identifiers"]),
        "founder": masked_identifier(change["founder"]) if change["founder"] else "",
        "why": "",
    }


def _masked_keys(spans: dict[str, Any]) -> dict[str, Any]:
    """Returns the spans under masked identifiers. Equal ones are numbered, so that none is lost."""
    masked: dict[str, Any] = {}
    for text, span in spans.items():
        name, number = masked_identifier(text), 2
        while name in masked:
            name, number = f"{masked_identifier(text)}{number}", number + 1
        masked[name] = span
    return masked
