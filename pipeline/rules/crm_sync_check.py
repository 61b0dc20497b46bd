"""Checks the part ``sync`` of a CRM connection against the other rules: segments, scores and predictions exist."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeAlias

from pipeline.rules.crm_sync import PREDICTION, SCORE, SEGMENT
from pipeline.rules.problem import did_you_mean
from pipeline.score.rules import ENGAGEMENT, FIT

PREDICTIONS: Final = ("churn_risk", "expected_purchases", "expected_value_minor")
_Objection: TypeAlias = tuple[tuple[str | int, ...], str, str]


def sync_objections(sync: Mapping[str, Any], parsed: Mapping[str, Mapping[str, Any]]) -> Iterator[_Objection]:
    """Yields path within ``sync``, message and what to write instead. Names of files with problems are not checked."""
    known = _names(parsed)
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


def _names(parsed: Mapping[str, Mapping[str, Any]]) -> dict[str, Collection[str]]:
    names: dict[str, Collection[str]] = {PREDICTION: PREDICTIONS}
    if "segments.yaml" in parsed:
        names[SEGMENT] = {segment["name"] for segment in parsed["segments.yaml"].get("segments", [])}
    if "scores.yaml" in parsed:
        scores = parsed["scores.yaml"]
        names[SCORE] = {rule.get("score", ENGAGEMENT) for rule in scores.get("scores", [])}
        names[SCORE] = {*names[SCORE], *(rule.get("score", FIT) for rule in scores.get("fit", []))}
    return names


def _instead(family: str, name: str, names: Collection[str]) -> str:
    return did_you_mean(f"{family}.{name}", {f"{family}.{known}" for known in names})
