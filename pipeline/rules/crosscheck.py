"""Checks across rules: references between rules, and values that contradict each other.

Only files without problems of their own take part, so a misspelt rule is not reported again where it is used.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from pipeline.event.duration import format_duration
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.rules import AggregateRules
from pipeline.route.check import objections
from pipeline.route.rules import RoutingRules
from pipeline.rules.crm_sync_check import sync_objections
from pipeline.rules.declared import score_names, segment_names
from pipeline.rules.fitted import MODEL_FILE
from pipeline.rules.problem import did_you_mean
from pipeline.rules.shape import Path, Shape
from pipeline.rules.zones import UnknownZoneError, zone_of
from pipeline.score.forecast import Forecaster
from pipeline.score.rules import ENGAGEMENT, ScoreRules
from pipeline.segment.rules import SegmentRules
from pipeline.segment.segments import SegmentError, segment_errors
from pipeline.segment.vocabulary import ROOTS

Parsed: TypeAlias = Mapping[str, dict[str, Any]]
"""The content of the rules files by file name, as plain data."""
Objection: TypeAlias = tuple[Path, str, str] | tuple[Path, str, str, int | None]
"""(path, message, what to write instead), optionally with the index of the faulty character in the text at the path."""


def cross_check(shapes: Mapping[str, Shape], parsed: Parsed) -> None:
    """Adds the problems to the problem lists of the shapes."""
    for name, check in _CHECKS.items():
        if name in shapes:
            for objection in check(parsed):
                shapes[name].add(*objection)


def _intake(parsed: Parsed) -> Iterator[Objection]:
    rules = parsed["intake.yaml"]
    tolerance, retention = rules.get("future_tolerance_ms"), rules.get("retention_ms")
    if tolerance is not None and retention is not None and tolerance >= retention:
        yield ("future_tolerance_ms",), "future_tolerance is not below retention", "write minutes, as in 5 min"
    window = rules.get("dedupe_window_ms")
    if window is not None and retention is not None and window > retention:
        message = "dedupe_window is longer than retention: events that old are refused anyway"
        yield ("dedupe_window_ms",), message, f"write {format_duration(retention)} or less"


def _identifiers(parsed: Parsed) -> Iterator[Objection]:
    types = parsed["identifiers.yaml"].get("types", [])
    if not types:
        yield ("types",), "no identifier types are declared: no event would have a customer", "declare at least one"
    for index, declared in enumerate(types):
        where: Path = ("types", index)
        for place, value in enumerate(declared.get("blocked_values", [])):
            if not value.strip():
                message = "blank values are never identifiers"
                yield (*where, "blocked_values", place), message, "leave this one out"
        if declared.get("firebreak_above") and not any(_is_counted(other, declared) for other in types):
            message = f"the firebreak of {declared['name']!r} can never act: no stronger type is strong"
            yield (*where, "firebreak_above"), message, "mark a type of higher priority with strong: true"


def _is_counted(other: dict[str, Any], guarded: dict[str, Any]) -> bool:
    """Whether the firebreak of ``guarded`` counts identifiers of the type ``other``."""
    return bool(other.get("strong")) and other["priority"] < guarded["priority"]


def _aggregates(parsed: Parsed) -> Iterator[Objection]:
    rules = parsed["aggregates.yaml"]
    try:
        zone_of(rules.get("time_zone", "UTC"))
    except UnknownZoneError as error:
        message, _, instead = str(error).partition("; ")
        yield ("time_zone",), message, instead
    for kind in ("aggregates", "ratios"):
        for index, rule in enumerate(rules.get(kind, [])):
            if rule["name"] in ROOTS:
                message = f"{rule['name']} has another meaning in conditions, so they could not use this rule"
                yield (kind, index, "name"), message, f"choose another name, such as {rule['name']}_value"


def _scores(parsed: Parsed) -> Iterator[Objection]:
    rules = parsed["scores.yaml"]
    used = {rule.get("group", "") for rule in [*rules.get("scores", []), *rules.get("fit", [])]}
    for index, group in enumerate(rules.get("groups", [])):
        if group["name"] not in used:
            message = f"no score rule is in the group {group['name']!r}"
            yield ("groups", index, "name"), message, f"add group: {group['name']} to its rules, or leave it out"


def segment_mistakes(parsed: Parsed) -> list[SegmentError]:
    """Returns the errors of segments under the other rules; none while the files of those rules have problems."""
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


def _segments(parsed: Parsed) -> Iterator[Objection]:
    for mistake in segment_mistakes(parsed):
        yield ("segments", mistake.place, "when"), mistake.error.message, mistake.error.instead, mistake.error.position


def _triggers(parsed: Parsed) -> Iterator[Objection]:
    triggers = parsed["triggers.yaml"]
    scores = score_names(parsed)
    if scores is not None:
        yield from _watched_scores(triggers, scores)
    segments = segment_names(parsed)
    if segments is not None:
        for index, trigger in enumerate(triggers.get("segment_triggers", [])):
            if trigger["segment"] not in segments:
                message = f"trigger {trigger['name']!r} waits for segment {trigger['segment']!r}, which is not declared"
                yield ("segment_triggers", index, "segment"), message, did_you_mean(trigger["segment"], segments)


def _watched_scores(triggers: dict[str, Any], scores: Collection[str]) -> Iterator[Objection]:
    for index, trigger in enumerate(triggers.get("triggers", [])):
        score = trigger.get("score", ENGAGEMENT)
        if score not in scores:
            message = f"trigger {trigger['name']!r} waits for score {score!r}, but no rule gives points to it"
            yield ("triggers", index, "score"), message, did_you_mean(score, scores)


def _routing(parsed: Parsed) -> Iterator[Objection]:
    yield from objections(msgspec.convert(parsed["routing.yaml"], RoutingRules), segment_names(parsed))


def _crm(parsed: Parsed) -> Iterator[Objection]:
    triggers = parsed.get("triggers.yaml")
    names = {rule["name"] for kind in ("triggers", "segment_triggers") for rule in (triggers or {}).get(kind, [])}
    reps = {rep["name"] for rep in parsed.get("routing.yaml", {}).get("reps", [])}
    for index, connection in enumerate(parsed["crm.yaml"].get("connections", [])):
        where: Path = ("connections", index)
        for place, trigger in enumerate(connection.get("triggers", [])):
            if triggers is not None and trigger not in names:
                message = f"connection {connection['name']!r} delivers trigger {trigger!r}, which is not declared"
                yield (*where, "triggers", place), message, did_you_mean(trigger, names)
        for place, owner in enumerate(connection.get("owners", [])):
            if reps and owner["rep"] not in reps:
                message = f"{owner['rep']!r} is no representative of routing.yaml"
                yield (*where, "owners", place, "rep"), message, did_you_mean(owner["rep"], reps)
        for path, message, instead in sync_objections(connection.get("sync", {}), parsed):
            yield (*where, "sync", *path), message, instead


_CHECKS = {
    "intake.yaml": _intake,
    "identifiers.yaml": _identifiers,
    "aggregates.yaml": _aggregates,
    "scores.yaml": _scores,
    "segments.yaml": _segments,
    "triggers.yaml": _triggers,
    "routing.yaml": _routing,
    "crm.yaml": _crm,
}
