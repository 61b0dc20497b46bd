"""What a pipeline has made of its input: the form in which Kafka and ``simulate`` are compared."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


class Outcome(msgspec.Struct, frozen=True):
    """Profiles, actions and owners."""

    profiles: dict[str, bytes]
    """Profile id to the line that ``profile export`` writes."""
    actions: list[dict[str, Any]]
    """Every record of the actions topic, decoded."""
    owners: dict[str, str]
    """Identifier to profile id."""


def owners_of(profiles: Mapping[str, bytes]) -> dict[str, str]:
    """Returns the profile id of every identifier that a profile lists."""
    return {
        ident: profile_id for profile_id, line in profiles.items() for ident in msgspec.json.decode(line)["identifiers"]
    }


def open_leads(actions: Iterable[dict[str, Any]], owners: Mapping[str, str]) -> Counter[tuple[str, str]]:
    """Returns the leads whose highest revision is a lead, by the profile that owns them now and by trigger.

    Two halves of a customer that fire before they are merged leave one lead and one duplicate; halves that are merged
    sooner fire once. So the records depend on the order of arrival between partitions, and the open leads do not.
    """
    last: dict[str, dict[str, Any]] = {}
    for action in actions:
        known = last.get(action["action_id"])
        if known is None or action["revision"] > known["revision"]:
            last[action["action_id"]] = action
    leads: Counter[tuple[str, str]] = Counter()
    for action in last.values():
        if action["kind"] == "lead":
            owner = {owners.get(ident, f"unknown owner of {ident}") for ident in action["identifiers"]}
            leads[" + ".join(sorted(owner)), action["trigger"]] += 1
    return leads
