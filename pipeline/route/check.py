"""Checks across the routing rules: references between rules, and the names used in conditions."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from pipeline.condition.advice import did_you_mean
from pipeline.condition.errors import ConditionError
from pipeline.route.facts import compile_when
from pipeline.route.rules import Route, RoutingRules

Path: TypeAlias = tuple[str | int, ...]


class Objection(NamedTuple):
    """A mistake that involves several rules."""

    path: Path
    """Field names and list positions, from the root of the file."""
    message: str
    instead: str
    """What to write instead."""
    position: int | None = None
    """Index of the faulty character in the text at the path, from 0; None for the whole text."""


def objections(rules: RoutingRules, segments: Collection[str] | None = None) -> Iterator[Objection]:
    """Yields every mistake that makes the rules unusable, in the order of the file.

    ``segments`` are the declared segments; None accepts any name.
    """
    reps, teams = [rep.name for rep in rules.reps], [team.name for team in rules.teams]
    for at, team in enumerate(rules.teams):
        yield from _team(("teams", at, "reps"), team.name, team.reps, reps)
    for at, route in enumerate(rules.routes):
        yield from _condition(("routes", at, "when"), route, segments)
        if route.team:
            yield from _known(("routes", at, "team"), f"route {route.name!r} leads to team", route.team, teams)
        else:
            yield from _known(("routes", at, "rep"), f"route {route.name!r} leads to rep", route.rep, reps)
    if rules.catch_all:
        yield from _known(("catch_all",), "catch_all is team", rules.catch_all, teams)
    elif reps:
        message = "there is no catch_all: leads that no route takes would have no owner"
        yield Objection((), message, f"add catch_all: with a team; {did_you_mean('', teams)}")


def _team(path: Path, name: str, members: Sequence[str], reps: Sequence[str]) -> Iterator[Objection]:
    if not members:
        yield Objection(path, f"team {name!r} has no members", did_you_mean("", reps))
    for place, member in enumerate(members):
        yield from _known((*path, place), f"team {name!r} names rep", member, reps)
        if member in members[:place]:
            yield Objection((*path, place), f"team {name!r} names {member!r} twice", "give them a weight of 2 instead")


def _condition(path: Path, route: Route, segments: Collection[str] | None) -> Iterator[Objection]:
    try:
        compile_when(route.when, segments)
    except ConditionError as error:
        yield Objection(path, error.message, error.instead, error.position)


def _known(path: Path, about: str, written: str, known: Sequence[str]) -> Iterator[Objection]:
    if written not in known:
        yield Objection(path, f"{about} {written!r}, which is not declared", did_you_mean(written, known))
