"""What travels from PROFILE to ROUTE on the leads topic, keyed by tenant: one message an action, in log order."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pipeline.profile.fold import campaign_of, last_touch, traits_of
from pipeline.profile.ledger import Ledger

FACTS: Final = "facts"
"""The key under which an action carries what only routing reads, until :func:`lead_of` takes it out."""


class Lead(msgspec.Struct, array_like=True, gc=False, tag="lead", tag_field="record"):
    """A CRM action without an owner, and what routing may look at beyond the action itself."""

    tenant: str
    action: dict[str, Any]
    """The fields of ``schemas/crm-action.avsc``; ``owner`` and ``owner_reason`` are for ROUTE to fill in."""
    traits: dict[str, Any] = {}
    """The profile's traits, without their provenance."""
    channel: str = ""
    """Of the last touch."""
    campaign: str = ""
    """Of the last touch; empty if it came from none."""
    segments: list[str] = []
    """Those the profile was in when the action was decided, sorted."""


def facts_of(ledgers: Sequence[Ledger], segments: list[str]) -> dict[str, Any]:
    """The fields of a :class:`Lead` that its action does not tell; ``segments`` are those the profile is in."""
    last = last_touch(ledgers)
    return {
        "traits": {name: trait[3] for name, trait in traits_of(ledgers).items()},
        "channel": last[2] if last else "",
        "campaign": campaign_of(last[5]) if last else "",
        "segments": segments,
    }


def lead_of(action: dict[str, Any]) -> Lead:
    """The message for an action of a trigger, which is left without its facts."""
    return Lead(action["tenant"], action, **action.pop(FACTS))
