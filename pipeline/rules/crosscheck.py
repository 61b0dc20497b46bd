"""What no single rule can tell: names of other rules, and values that make no sense side by side.

Works on the files that have no problem of their own, so that a misspelt rule is not reported again wherever it is used.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from pipeline.event.duration import format_duration
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.rules import AggregateRules
from pipeline.route.check import objections
from pipeline.route.rules import RoutingRules
from pipeline.rules.fitted import MODEL_FILE
from pipeline.rules.problem import did_you_mean
from pipeline.rules.shape import Path, Shape
from pipeline.rules.zones import UnknownZoneError, zone_of
from pipeline.score.forecast import Forecaster
from pipeline.score.rules import ENGAGEMENT, FIT, ScoreRules
from pipeline.segment.rules import SegmentRules
from pipeline.segment.segments import SegmentError, segment_errors
from pipeline.segment.vocabulary import ROOTS

Found = Mapping[str, dict[str, Any]]
Objection: TypeAlias = tuple[Path, str, str] | tuple[Path, str, str, int | None]
"""Where, what is wrong, what to write instead; and which character of the text there is meant, if one is."""


def cross_check(shapes: Mapping[str, Shape], parsed: Found) -> None:
    """Add the problems to the shapes' list."""
    for name, check in _CHECKS.items():
        if name in shapes:
            for objection in check(parsed):
                shapes[name].add(*objection)


def _intake(parsed: Found) -> Iterator[Objection]:
    rules = parsed["intake.yaml"]
    tolerance, retention = rules.get("future_tolerance_ms"), rules.get("retention_ms")
    if tolerance is not None and retention is not None and tolerance >= retention:
        yield ("future_tolerance_ms",), "future_tolerance is not below retention", "write minutes, as in 5 min"
    window = rules.get("dedupe_window_ms")
    if window is not None and retention is not None and window > retention:
        message = "dedupe_window is longer than retention: events that old are refused anyway"
        yield ("dedupe_window_ms",), message, f"write {format_duration(retention)} or less"


def _identifiers(parsed: Found) -> Iterator[Objection]:
    types = parsed["identifiers.yaml"].get("types", [])
    if not types:
        yield ("types",), "no identifier types are declared: no event could be anyone's", "declare at least one"
    for index, declared in enumerate(types):
        where: Path = ("types", index)
        for place, value in enumerate(declared.get("blocked_values", [])):
            if not value.strip():
                message = "blank values are never identifiers"
                yield (*where, "blocked_values", place), message, "leave this one out"
        if declared.get("firebreak_above") and not any(_counts(other, declared) for other in types):
            message = f"the firebreak of {declared['name']!r} can never act: no stronger type is strong"
            yield (*where, "firebreak_above"), message, "mark a type of higher priority with strong: true"


def _counts(other: dict[str, Any], guarded: dict[str, Any]) -> bool:
    return bool(other.get("strong")) and other["priority"] < guarded["priority"]


def _aggregates(parsed: Found) -> Iterator[Objection]:
    rules = parsed["aggregates.yaml"]
    try:
        zone_of(rules.get("time_zone", "UTC"))
    except UnknownZoneError as error:
        message, _, instead = str(error).partition("; ")
        yield ("time_zone",), message, instead
    for kind in ("aggregates", "ratios"):
        for index, rule in enumerate(rules.get(kind, [])):
            if rule["name"] in ROOTS:
                message = f"conditions call something else {rule['name']}, so none could ask for this"
                yield (kind, index, "name"), message, f"choose another name, such as {rule['name']}_value"


def _scores(parsed: Found) -> Iterator[Objection]:
    rules = parsed["scores.yaml"]
    used = {rule.get("group", "") for rule in [*rules.get("scores", []), *rules.get("fit", [])]}
    for index, group in enumerate(rules.get("groups", [])):
        if group["name"] not in used:
            message = f"no score rule is in the group {group['name']!r}"
            yield ("groups", index, "name"), message, f"add group: {group['name']} to its rules, or leave it out"


def segment_mistakes(parsed: Found) -> list[SegmentError]:
    """Segments that mean nothing under the other rules; none while those have problems of their own."""
    if not {"identifiers.yaml", "aggregates.yaml", "journeys.yaml", "scores.yaml"} <= parsed.keys():
        return []
    return segment_errors(
        msgspec.convert(parsed["segments.yaml"], SegmentRules),
        msgspec.convert(parsed["aggregates.yaml"], AggregateRules),
        msgspec.convert(parsed["scores.yaml"], ScoreRules),
        identifier_types=[declared["name"] for declared in parsed["identifiers.yaml"].get("types", [])],
        journeys=msgspec.convert(parsed["journeys.yaml"], JourneyRules),
        forecast=Forecaster(parsed.get(MODEL_FILE, {}).get("model")),
    )


def _segments(parsed: Found) -> Iterator[Objection]:
    for mistake in segment_mistakes(parsed):
        yield ("segments", mistake.place, "when"), mistake.error.message, mistake.error.instead, mistake.error.position


def _triggers(parsed: Found) -> Iterator[Objection]:
    triggers = parsed["triggers.yaml"]
    if "scores.yaml" in parsed:
        yield from _watched_scores(triggers, parsed["scores.yaml"])
    segments = _segment_names(parsed)
    if segments is not None:
        for index, trigger in enumerate(triggers.get("segment_triggers", [])):
            if trigger["segment"] not in segments:
                message = f"trigger {trigger['name']!r} waits for segment {trigger['segment']!r}, which there is not"
                yield ("segment_triggers", index, "segment"), message, did_you_mean(trigger["segment"], segments)


def _watched_scores(triggers: dict[str, Any], rules: dict[str, Any]) -> Iterator[Objection]:
    scores = {rule.get("score", ENGAGEMENT) for rule in rules.get("scores", [])}
    scores |= {rule.get("score", FIT) for rule in rules.get("fit", [])}
    for index, trigger in enumerate(triggers.get("triggers", [])):
        score = trigger.get("score", ENGAGEMENT)
        if score not in scores:
            message = f"trigger {trigger['name']!r} waits for score {score!r}, to which no rule gives points"
            yield ("triggers", index, "score"), message, did_you_mean(score, scores)


def _segment_names(parsed: Found) -> frozenset[str] | None:
    """Those there are; None if that cannot be told, because their file has problems of its own."""
    if "segments.yaml" not in parsed:
        return None
    return frozenset(segment["name"] for segment in parsed["segments.yaml"].get("segments", []))


def _routing(parsed: Found) -> Iterator[Objection]:
    segments = (
        [segment["name"] for segment in parsed["segments.yaml"].get("segments", [])]
        if "segments.yaml" in parsed
        else None
    )
    yield from objections(msgspec.convert(parsed["routing.yaml"], RoutingRules), segments)


_CHECKS = {
    "intake.yaml": _intake,
    "identifiers.yaml": _identifiers,
    "aggregates.yaml": _aggregates,
    "scores.yaml": _scores,
    "segments.yaml": _segments,
    "triggers.yaml": _triggers,
    "routing.yaml": _routing,
}
