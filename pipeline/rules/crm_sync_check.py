"""Checks the part ``sync`` of a CRM connection against the other rules: segments, scores and predictions exist.

Traits and purposes of consent are declared nowhere: events bring them. A name is refused only if it looks like a
misspelling of one that another rule uses, because a wrong purpose would permit what customers have denied.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeAlias

from pipeline.rules.crm_sync import PREDICTION, SCORE, SEGMENT, TRAIT
from pipeline.rules.declared import score_names, segment_names
from pipeline.rules.problem import did_you_mean

PREDICTIONS: Final = ("churn_risk", "expected_purchases", "expected_value_minor")
SIMILARITY: Final = 0.85
"""Share of equal letters from which a purpose counts as a misspelling of another one."""
_TRAIT, _PURPOSE = re.compile(r"\btraits\.(\w+)"), re.compile(r"\bconsent\.(\w+)")
_Objection: TypeAlias = tuple[tuple[str | int, ...], str, str]


def sync_objections(sync: Mapping[str, Any], parsed: Mapping[str, Mapping[str, Any]]) -> Iterator[_Objection]:
    """Yields path within ``sync``, message and what to write instead. Names of files with problems are not checked."""
    known: dict[str, Collection[str] | None] = {
        PREDICTION: PREDICTIONS, SEGMENT: segment_names(parsed), SCORE: score_names(parsed),
    }  # fmt: skip
    for index, field in enumerate(sync.get("fields", [])):
        family, _, name = field["value"].partition(".")
        names = known.get(family)
        if names is not None and name and name not in names:
            message = f"field {field['to']!r} follows {family}.{name}, which is not declared"
            yield ("fields", index, "value"), message, _instead(family, name, names)
        segments = known.get(SEGMENT)
        for place, segment in enumerate(field.get("segments", ())):
            if segments is not None and segment not in segments:
                message = f"field {field['to']!r} lists segment {segment!r}, which is not declared"
                yield ("fields", index, "segments", place), message, did_you_mean(segment, segments)
        if family == TRAIT and (meant := _other_spelling(name, _traits(parsed))):
            message = f"field {field['to']!r} follows trait.{name}, which no other rule names"
            yield ("fields", index, "value"), message, f"did you mean trait.{meant}?"
    purpose = sync.get("consent", "").partition("/")[0]
    if meant := _misspelt(purpose, _purposes(parsed)):
        yield ("consent",), f"purpose {purpose!r} is in no other rule", f"did you mean {meant}?"


def _instead(family: str, name: str, names: Collection[str]) -> str:
    return did_you_mean(f"{family}.{name}", {f"{family}.{known}" for known in names})


def _traits(parsed: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Returns the traits that conditions name, and those that the way back brings."""
    backs = [connection.get("back", {}) for connection in parsed.get("crm.yaml", {}).get("connections", [])]
    brought = {trait["trait"] for back in backs for trait in back.get("traits", [])}
    return brought.union(*(_TRAIT.findall(text) for rules in parsed.values() for text in _texts(rules)))


def _purposes(parsed: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Returns the purposes that conditions, triggers and preference rules name."""
    triggers, journeys = parsed.get("triggers.yaml", {}), parsed.get("journeys.yaml", {})
    named = [rule.get("consent", "") for kind in ("triggers", "segment_triggers") for rule in triggers.get(kind, [])]
    named += [denied for rule in journeys.get("preferences", []) for denied in rule.get("denies", [])]
    purposes = {text.partition("/")[0] for text in named} - {""}
    return purposes.union(*(_PURPOSE.findall(text) for rules in parsed.values() for text in _texts(rules)))


def _texts(data: Any) -> Iterator[str]:
    """Yields every text in plain data."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _texts(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _texts(value)


def _other_spelling(name: str, known: Collection[str]) -> str:
    """Returns the known name that differs in case, ``_`` and ``-`` only; "" if there is none, or the name is known."""
    return "" if name in known else next((other for other in sorted(known) if _folded(other) == _folded(name)), "")


def _misspelt(name: str, known: Collection[str]) -> str:
    """Returns the known name that was probably meant; "" if there is none, or the name is known."""
    if not name or name in known:
        return ""
    digits = re.sub(r"\D", "", name)
    alike = sorted(other for other in known if re.sub(r"\D", "", other) == digits)  # sms1 and sms2 are two names
    near = difflib.get_close_matches(name, alike, n=1, cutoff=SIMILARITY)
    return _other_spelling(name, alike) or (near[0] if near else "")


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
