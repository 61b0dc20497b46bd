"""The readable profile: the output of ``profile show``, ``profile export`` and ``simulate``.

It is a pure function of the ledgers and ``as_of_ms``. The order and batching of touches, the number of publications and
the moves of ledgers do not influence it.
"""

from typing import Any

from pipeline.profile.aggregates import read_aggregates
from pipeline.profile.compiled_rules import CompiledRules
from pipeline.profile.fold import (
    accounts_of,
    consent_of,
    first_touch,
    identifiers_of,
    last_touch,
    statements_of,
    timeline_of,
    touchpoint_view,
    traits_of,
)
from pipeline.profile.journey.attribution import attribution_of, attribution_view
from pipeline.profile.journey.cart import cart_of, cart_view
from pipeline.profile.ports import Score
from pipeline.profile.row import ProfileRow
from pipeline.profile.timeline import Entry


def profile_view(profile_id: str, row: ProfileRow, rules: CompiledRules, as_of_ms: int) -> dict[str, Any]:
    """Returns all data of a profile at a moment, as JSON values; windows are ``(as_of - length, as_of]``.

    An ``as_of_ms`` before the newest touch is replaced by the time of that touch; the view contains the time used.
    """
    ledgers = row.ledgers()
    as_of_ms = max(as_of_ms, row.latest_ms())
    aggregates = read_aggregates(rules.readers, ledgers, as_of_ms)
    return {
        "profile_id": profile_id,
        "tenant": row.tenant,
        "as_of_ms": as_of_ms,
        "merged_into": "" if ledgers else row.current_id(profile_id),
        "anchors": sorted(row.anchors),
        "touches": sum(ledger.touches for ledger in ledgers),
        "first_touch": touchpoint_view(first_touch(ledgers)),
        "last_touch": touchpoint_view(last_touch(ledgers)),
        "identifiers": {
            identifier: {"first_seen_ms": first_ms, "last_seen_ms": last_ms}
            for identifier, (first_ms, last_ms) in sorted(identifiers_of(ledgers).items())
        },
        "traits": {
            name: {"value": value, "timestamp_ms": timestamp_ms, "event_id": event_id, "channel": channel}
            for name, (timestamp_ms, event_id, channel, value) in sorted(traits_of(ledgers).items())
        },
        "accounts": {
            account: {name: trait[3] for name, trait in sorted(traits.items())}
            for account, traits in sorted(accounts_of(ledgers).items())
        },
        "consent": dict(sorted(consent_of(ledgers).items())),
        "consent_statements": {
            purpose: {"granted": not denied, "timestamp_ms": timestamp_ms, "event_id": event_id}
            for purpose, (timestamp_ms, denied, event_id) in sorted(statements_of(ledgers).items())
        },
        "aggregates": aggregates,
        "ratios": {ratio.name: ratio.read(aggregates) for ratio in rules.ratios},
        "cart": cart_view(cart_of(ledgers, rules.journeys.carts, as_of_ms)),
        "attribution": attribution_view(attribution_of(ledgers, rules.journeys.attribution)),
        "segments": sorted(name for name, state in rules.segments.evaluate(ledgers, as_of_ms).items() if state.inside),
        "scores": [score_view(score) for score in rules.scorer.read(ledgers, as_of_ms)],
        "grade": rules.scorer.grade(rules.scorer.values(ledgers, as_of_ms)),
        "predictions": rules.forecast.read(ledgers, as_of_ms),
        "timeline": [entry_view(entry) for entry in timeline_of(ledgers)],
    }


def entry_view(entry: Entry) -> dict[str, Any]:
    """Returns an entry of the timeline with its summary, as JSON values."""
    return {**entry._asdict(), "summary": entry.summary()}


def score_view(score: Score) -> dict[str, Any]:
    """Returns a score with its contributions, which sum exactly to its value, as JSON values."""
    return {
        "name": score.name,
        "value": score.value,
        "contributions": [
            {"rule": rule, "group": group, "points": points, "occurrences": occurrences}
            for rule, group, points, occurrences in score.contributions
        ],
    }
