"""Compare what the pipeline made of the day with what the day's author knows about its people."""

from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.demo.people import Person
from pipeline.event.identifier import Identifier

Update = dict[str, Any]
"""A profile update, decoded."""


class Known:
    """What the updates topic says about every customer, and every identifier that was ever in it."""

    def __init__(self) -> None:
        self.identifiers: set[Identifier] = set()
        self.customers: dict[str, tuple[list[Identifier], int]] = {}
        """Active profiles: their identifiers and how many events they count."""

    def take(self, update: Update) -> None:
        """The newest update of its profile."""
        self.identifiers.update(update["identifiers"])
        if update["status"] == "active":
            events = update["aggregates"].get("events", {}).get("lifetime", 0)
            self.customers[update["profile_id"]] = (update["identifiers"], events)
        else:
            self.customers.pop(update["profile_id"], None)


class Verdict(msgspec.Struct, frozen=True):
    """The day as the pipeline sees it beside the day as it was."""

    events_sent: int
    events_counted: int
    """Over all customers."""
    people_logged_in: int
    people_whole: int
    """Of those, how many are one customer with everything that was seen of them."""
    mixed: int
    """Customers with identifiers of two people."""
    identifiers: int
    customers: int
    planners: int
    """People whose day ends with a quote for a kitchen, as far as their events reached it."""
    planners_found: int
    """Of those, how many became a lead."""

    @property
    def is_true(self) -> bool:
        """Whether nothing was lost, counted twice, torn apart or mixed up."""
        return (
            self.events_counted == self.events_sent
            and self.people_whole == self.people_logged_in
            and self.planners_found == self.planners
            and not self.mixed
        )


def judge(people: Iterable[Person], events: Iterable[dict[str, Any]], known: Known, leads: set[str]) -> Verdict:
    """Compare. ``leads`` are the profile ids that became a lead, as they are called now."""
    everyone, all_events = list(people), list(events)
    owner = {identifier: person.number for person in everyone for identifier in person.identifiers}
    parts: dict[int, set[str]] = {}
    mixed = 0
    for profile_id, (identifiers, _) in known.customers.items():
        owners = {owner[identifier] for identifier in identifiers if identifier in owner}
        mixed += len(owners) > 1
        for number in owners:
            parts.setdefault(number, set()).add(profile_id)
    in_by_user = {person.user_id: person.number for person in everyone if person.known}
    came_in = {in_by_user[event["userId"]] for event in all_events if event["type"] == "identify" and "userId" in event}
    planners = {in_by_user[event["userId"]] for event in all_events if event.get("event") == "quote_requested"}
    return Verdict(
        events_sent=len(all_events),
        events_counted=sum(events for _, events in known.customers.values()),
        people_logged_in=len(came_in),
        people_whole=sum(len(parts.get(number, ())) == 1 for number in came_in),
        mixed=mixed,
        identifiers=len(known.identifiers),
        customers=len(known.customers),
        planners=len(planners),
        planners_found=sum(bool(parts.get(number, set()) & leads) for number in planners),
    )
