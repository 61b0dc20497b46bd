"""Builds the records of the profile updates topic."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pipeline.profile.compiled_rules import CompiledRules
from pipeline.profile.fold import campaign_of, consent_of, first_touch, identifier_names, last_touch, traits_of
from pipeline.profile.journey.cart import cart_of, cart_view
from pipeline.profile.journey.rules import CartRules
from pipeline.profile.ledger import Ledger, Touchpoint
from pipeline.profile.records import NO_TOUCH, FirstOrLastTouch, ProfileUpdate
from pipeline.profile.row import ACTIVE, MERGED, ProfileRow

_JSON: Final = msgspec.json.Encoder(order="deterministic")


def update_of(profile_id: str, row: ProfileRow, rules: CompiledRules, as_of_ms: int) -> ProfileUpdate:
    """Returns the record of an active profile at ``as_of_ms``."""
    ledgers = row.ledgers()
    first, last = first_touch(ledgers), last_touch(ledgers)
    traits, scores = traits_of(ledgers), rules.scorer.values(ledgers, as_of_ms)
    return ProfileUpdate(
        profile_id=profile_id,
        tenant=row.tenant,
        status=ACTIVE,
        version=row.published.version,
        as_of_ms=as_of_ms,
        first_seen_ms=first[0] if first else 0,
        last_seen_ms=last[0] if last else 0,
        identifiers=identifier_names(ledgers),
        traits=json_text({name: trait[3] for name, trait in traits.items()}) if traits else "{}",
        aggregates=rules.totals.read(ledgers, as_of_ms),
        scores=scores,
        grade=rules.scorer.grade(scores),
        segments=segments_of(row),
        first_touch=_touch(first),
        last_touch=_touch(last),
        consent=consent_text(ledgers),
        predictions=rules.forecast.numbers(ledgers, as_of_ms),
        cart=cart_text(ledgers, rules.journeys.carts, as_of_ms),
        rules_version=rules.version,
    )


def merged_record(profile_id: str, row: ProfileRow, target: str, as_of_ms: int) -> ProfileUpdate:
    """Returns the last record of a profile whose ledgers all belong to another profile now."""
    return ProfileUpdate(
        profile_id=profile_id,
        tenant=row.tenant,
        status=MERGED,
        merged_into=target,
        version=row.published.version,
        as_of_ms=as_of_ms,
        traits="{}",
        consent="{}",
        cart="{}",
    )


def segments_of(row: ProfileRow) -> list[str]:
    """Returns the profile's segments as last decided, sorted."""
    return sorted([name for name, membership in row.segments.items() if membership.inside]) if row.segments else []


def json_text(value: dict[str, Any]) -> str:
    """Returns a JSON object as text with sorted keys."""
    return _JSON.encode(value).decode()


def consent_text(ledgers: Sequence[Ledger]) -> str:
    """Returns consent by purpose as the text of a JSON object."""
    for ledger in ledgers:
        if ledger.consent:
            return json_text(consent_of(ledgers))
    return "{}"


def cart_text(ledgers: Sequence[Ledger], rules: CartRules | None, as_of_ms: int) -> str:
    """Returns the cart as the text of a JSON object without its due time; an empty object if the cart is empty."""
    # Most profiles have no cart and return after one check per ledger.
    for ledger in ledgers:
        if ledger.cart is not None:
            cart = cart_of(ledgers, rules, as_of_ms)
            if cart.items:
                view = cart_view(cart)
                del view["due_ms"]
                return json_text(view)
            break
    return "{}"


def _touch(point: Touchpoint | None) -> FirstOrLastTouch:
    if point is None:
        return NO_TOUCH
    timestamp_ms, event_id, channel, kind, name, origin = point
    return FirstOrLastTouch(timestamp_ms, channel, name or kind, campaign_of(origin) if origin else "", event_id)
