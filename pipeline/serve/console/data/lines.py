"""A profile update as a line of a list."""

from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.serve.console.views import CustomerLine


def line_of(update: Mapping[str, Any]) -> CustomerLine:
    """Returns the line of a profile update as the read model stores it."""
    traits = _object(update.get("traits"))
    return CustomerLine(
        profile_id=update["profile_id"],
        name=name_of(traits) or next(iter(update["identifiers"]), ""),
        identifiers=update["identifiers"],
        last_seen_ms=update["last_seen_ms"],
        score=max(update["scores"].values(), default=0.0),
        grade=update["grade"],
    )


def name_of(traits: Mapping[str, Any]) -> str:
    """Returns the name that traits state, else the address, else ""."""
    parts = [traits.get("firstName") or traits.get("first_name"), traits.get("lastName") or traits.get("last_name")]
    whole = traits.get("name") or " ".join(part for part in parts if isinstance(part, str) and part)
    stated = whole or traits.get("email") or ""
    return stated if isinstance(stated, str) else ""


def _object(value: Any) -> Mapping[str, Any]:
    """Returns an object that may be JSON text, as it is on the topic."""
    decoded = msgspec.json.decode(value or "{}") if isinstance(value, str) else value
    return decoded if isinstance(decoded, dict) else {}
