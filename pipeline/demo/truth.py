"""Compares the pipeline's results with the truth about the day's people."""

from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.demo.people import Person
from pipeline.event.identifier import Identifier

Update = dict[str, Any]
"""A profile update, decoded."""


class Known:
    """The fold of the updates topic: the active customers, and every identifier ever published."""

    def __init__(self) -> None:
        self.identifiers: set[Identifier] = set()
        self.customers: dict[str, tuple[list[Identifier], int]] = {}
        """Active profile id to its identifiers and its number of events."""

    def take(self, update: Update) -> None:
        """Folds a profile update. Updates of a profile must come in order."""
        self.identifiers.update(update["identifiers"])
        if update["status"] == "active":
            events = update["aggregates"].get("events", {}).get("lifetime", 0)
            self.customers[update["profile_id"]] = (update["identifiers"], events)
        else:
            self.customers.pop(update["profile_id"], None)


class Verdict(msgspec.Struct, frozen=True):
    """The pipeline's results compared with the truth."""

    events_sent: int
    events_counted: int
    """Sum over all customers."""
    people_logged_in: int
    people_whole: int
    """People with a log-in that are exactly one customer."""
    mixed: int
    """Customers with identifiers of several people."""
    identifiers: int
    customers: int
    planners: int
    """People that requested a quote for a kitchen."""
    planners_found: int
    """People that requested a quote and became a lead."""

    @property
    def is_true(self) -> bool:
        """Returns whether no event was lost or counted twice and no person was split or mixed up with another."""
        return (
            self.events_counted == self.events_sent
            and self.people_whole == self.people_logged_in
            and self.planners_found == self.planners
            and not self.mixed
        )


def judge(people: Iterable[Person], events: Iterable[dict[str, Any]], known: Known, leads: set[str]) -> Verdict:
    """Returns the comparison. ``leads`` are the current ids of the profiles that became a lead."""
    everyone, all_events = list(people), list(events)
    owner = {identifier: person.number for person in everyone for identifier in person.identifiers}
    parts: dict[int, set[str]] = {}
    mixed = 0
    for profile_id, (identifiers, _) in known.customers.items():
        owners = {owner[identifier] for identifier in identifiers if identifier in owner}
        mixed += len(owners) > 1
        for number in owners:
            parts.setdefault(number, set()).add(profile_id)
    by_user = {person.user_id: person.number for person in everyone if person.known}
    logged_in = {by_user[event["userId"]] for event in all_events if event["type"] == "identify" and "userId" in event}
    planners = {by_user[event["userId"]] for event in all_events if event.get("event") == "quote_requested"}
    return Verdict(
        events_sent=len(all_events),
        events_counted=sum(events for _, events in known.customers.values()),
        people_logged_in=len(logged_in),
        people_whole=sum(len(parts.get(number, ())) == 1 for number in logged_in),
        mixed=mixed,
        identifiers=len(known.identifiers),
        customers=len(known.customers),
        planners=len(planners),
        planners_found=sum(bool(parts.get(number, set()) & leads) for number in planners),
    )
