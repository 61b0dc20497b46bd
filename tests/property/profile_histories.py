"""Strategies for random touches, histories and rules, shared by the property tests of profiles."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.apply import apply_touch
from pipeline.profile.booking import Plan
from pipeline.profile.filter import Condition, Filter
from pipeline.profile.journey.rules import (
    AttributionRules,
    CartRules,
    Conversion,
    ItemFields,
    JourneyRules,
    PreferenceRule,
    SurveyRule,
)
from pipeline.profile.kinds import KINDS
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.rules import AggregateRule
from pipeline.score.rules import ScoreGroup, ScoreRule, ScoreRules
from pipeline.testing import build

START_MS = 1_750_000_000_000
WINDOWS = ("1h", "45m", "24h", "7d", "30d", "90d", "lifetime")
FIELDS = {"nothing": "", "number": "properties.price", "scalar": "properties.label", "money": "amount"}


def aggregate(kind: str, **more: Any) -> AggregateRule:
    """A rule of a kind over a field that the touches below have, in every window that the kind can have."""
    windows = ("lifetime",) if KINDS[kind].lifetime_only else WINDOWS if KINDS[kind].for_ever else WINDOWS[:-1]
    given = {"name": f"a_{kind}", "kind": kind, "field": FIELDS[KINDS[kind].takes], "windows": windows}
    return AggregateRule(**(given | more))


MONEY = aggregate("sum", name="money", field="amount")
EVERY_KIND = (*(aggregate(kind) for kind in KINDS), MONEY)
CARTS = CartRules(
    added=Filter(events=("View", "Open")),
    removed=Filter(events=("Leave",)),
    bought=Filter(events=("Buy",)),
    item=ItemFields(id=("properties.label",), name=("properties.title",)),
)
ATTRIBUTION = AttributionRules(
    own_hosts=("shop.example",),
    conversions=(
        Conversion(name="bought", filter=Filter(events=("Buy",))),
        Conversion(name="opened", filter=Filter(events=("Open",)), value_minor=7, currency="EUR"),
    ),
    costs=Filter(channels=("ads", "email")),
    cost_field="properties.price",
)
SURVEYS = (SurveyRule(filter=Filter(events=("View",)), question="properties.title", answer="properties.label"),)
PREFERENCES = (PreferenceRule(filter=Filter(events=("Leave",)), field="properties.choices"),)
JOURNEYS = JourneyRules(carts=CARTS, attribution=ATTRIBUTION, surveys=SURVEYS, preferences=PREFERENCES)
SCORES = ScoreRules(
    scores=(
        ScoreRule(name="view", points=3, filter=Filter(events=("View",)), half_life_ms=7 * DAY_MS, group="browse"),
        ScoreRule(
            name="deep", points=5, filter=Filter(where=(Condition(field="properties.price", gte=50),)), group="browse"
        ),
        ScoreRule(name="buy", points=40, filter=Filter(events=("Buy",)), half_life_ms=30 * DAY_MS, max_points=90),
        ScoreRule(name="open", points=7, filter=Filter(events=("Open",)), half_life_ms=HOUR_MS, max_occurrences=3),
        ScoreRule(name="once", points=11, filter=Filter(events=("Open",)), half_life_ms=0, max_occurrences=1),
        ScoreRule(name="leave", points=-25, filter=Filter(events=("Leave",)), half_life_ms=30 * DAY_MS),
        ScoreRule(name="value", points=2, filter=Filter(channels=("pos",)), score="worth"),
    ),
    groups=(ScoreGroup(name="browse", max_points=20),),
)


def touch(number: int, offset_ms: int, anchor: str = "user_id:a", **more: Any) -> Touch:
    """A touch with everything in its usual place."""
    usual = {"event_id": f"shop/{number:06d}", "timestamp_ms": START_MS + offset_ms, "name": "View"}
    return build.touch(anchor, **(usual | more))


ANCHORS = ("user_id:a", "anonymous_id:b", "email:c@example.org")
SCALARS = ("", "a", "b", 0, 1, -3, True, False, 0.5, 1e300)
CONSENTS = ({}, {"ads": True}, {"ads": False}, {"ads": {"email": False, "sms": True}})
_DRAWN = st.tuples(
    st.one_of(
        st.integers(0, 120 * DAY_MS), st.integers(0, 2 * HOUR_MS), st.integers(0, 120).map(lambda d: -d * DAY_MS)
    ),
    st.integers(0, 2**40),
)


def made(number: int, offset_ms: int, bits: int, anchor: str | None) -> Touch:
    """The touch that a number stands for: a cheap way to draw twelve fields, which still shrinks towards the plain."""
    if offset_ms < 0:  # a midnight
        offset_ms = -offset_ms - START_MS % DAY_MS

    def pick(values: Sequence[Any]) -> Any:
        nonlocal bits
        bits, at = divmod(bits, len(values))
        return values[at]

    own = anchor or pick(ANCHORS)
    amount = pick((0, 0, 1, 250, 19_999, -250))
    choices = pick(CONSENTS)
    price, label, title = pick((None, 0.1, 49.99, 50, 1000)), pick(SCALARS), pick(("", "Shoes"))
    return touch(
        number,
        offset_ms,
        own,
        channel=pick(("web", "email", "pos", "crm", "ads")),
        name=pick(("View", "Buy", "Open", "Leave")),
        identifiers=[own, *pick(((), ("device_id:x",), ("phone:+4930123", "device_id:y")))],
        properties={} if price is None else {"price": price, "label": label, "title": title, "choices": choices},
        context=pick(({}, {"consent": pick(CONSENTS), "campaign": {"name": "x"}}, {"page": {"referrer": "https://r"}})),
        traits=pick(({}, {"plan": pick(SCALARS)}, {"plan": "pro", "city": pick(SCALARS)})),
        amount_minor=amount,
        currency=pick(("EUR", "JPY")) if amount else "",
    )


def histories(anchor: str | None = None, limit: int = 30) -> st.SearchStrategy[list[Touch]]:
    """Touches with distinct event ids, in no order of time; of one anchor, or of several."""
    return st.lists(_DRAWN, max_size=limit).map(
        lambda drawn: [made(number, offset_ms, bits, anchor) for number, (offset_ms, bits) in enumerate(drawn)]
    )


def folded(plan: Plan, history: list[Touch]) -> Ledger:
    """A ledger with the touches booked in the order given."""
    ledger = Ledger()
    for item in history:
        apply_touch(plan, ledger, item)
    return ledger
