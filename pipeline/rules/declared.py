"""Names that rules declare for others, taken from the content of the rules files as plain data."""

from collections.abc import Mapping
from typing import Any

from pipeline.score.rules import ENGAGEMENT, FIT


def segment_names(parsed: Mapping[str, Mapping[str, Any]]) -> frozenset[str] | None:
    """Returns the declared segments; None if they are unknown, because their file has problems."""
    if "segments.yaml" not in parsed:
        return None
    return frozenset(segment["name"] for segment in parsed["segments.yaml"].get("segments", []))


def score_names(parsed: Mapping[str, Mapping[str, Any]]) -> frozenset[str] | None:
    """Returns the scores that rules give points to; None if they are unknown, because their file has problems."""
    if "scores.yaml" not in parsed:
        return None
    rules = parsed["scores.yaml"]
    scores = {rule.get("score", ENGAGEMENT) for rule in rules.get("scores", [])}
    return frozenset(scores | {rule.get("score", FIT) for rule in rules.get("fit", [])})
