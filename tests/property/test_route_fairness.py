"""Fairness of routing at every moment against the definition of the quota, over random teams and absences."""

import os
import random
from collections import Counter, defaultdict
from fractions import Fraction

import pytest

from pipeline.event.duration import DAY_MS
from pipeline.event.instant import format_instant
from pipeline.route.rules import Absence, Rep, RoutingRules, Team
from tests.support.leads import Desk, lead, moment

SEEDS = int(os.environ.get("STITCHLINE_SEEDS", "60"))
FIRST_SEED = int(os.environ.get("STITCHLINE_FIRST_SEED", "0"))
BURST = 10_000
START_MS = moment("2026-12-01")
DAYS = 12


def replay(seed: int) -> str:
    return f"replay: STITCHLINE_SEEDS=1 STITCHLINE_FIRST_SEED={seed} pytest {__file__}"


def a_day(number: int) -> str:
    return (format_instant(START_MS + number * DAY_MS) or "")[:10]


def a_team(chance: random.Random) -> RoutingRules:
    """Two to nine people; some of them away for some days."""
    reps = []
    for number in range(chance.randint(2, 9)):
        first = chance.randrange(DAYS)
        away = (Absence(first=a_day(first), last=a_day(chance.randint(first, DAYS))),) if chance.random() < 0.6 else ()
        reps.append(Rep(name=f"rep{number}", weight=chance.choice((1, 1, 2, 3, 5, 40)), absent=away))
    team = Team(name="all", reps=tuple(rep.name for rep in reps))
    return RoutingRules(reps=tuple(reps), teams=(team,), catch_all="all")


def there(rules: RoutingRules, at_ms: int) -> dict[str, int]:
    """The weights of members that are not absent on the day of a moment, by comparing dates as texts."""
    today = (format_instant(at_ms) or "")[:10]
    return {
        rep.name: rep.weight
        for rep in rules.reps
        if not any(absence.first <= today <= absence.last for absence in rep.absent)
    }


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_every_member_of_a_set_is_within_one_lead_of_their_share_at_every_moment(seed: int) -> None:
    """Also while leads come late, so that the days, and with them the sets, alternate."""
    chance = random.Random(seed)
    rules = a_team(chance)
    desk = Desk(rules)
    given: defaultdict[frozenset[tuple[str, int]], Counter[str]] = defaultdict(Counter)
    at_ms = START_MS
    for number in range(300):
        at_ms += chance.randrange(DAYS * DAY_MS // 300)
        late_ms = at_ms - chance.choice((0, 0, 0, DAY_MS))
        weights = there(rules, late_ms)
        owner = desk.give(lead(number, at_ms=late_ms))
        if not weights:
            assert owner == "", replay(seed)
            continue
        assert owner in weights, replay(seed)
        shared = given[frozenset(weights.items())]
        shared[owner] += 1
        for name, weight in weights.items():
            quota = Fraction(weight * shared.total(), sum(weights.values()))
            assert abs(shared[name] - quota) < 1, replay(seed)


def test_ten_thousand_leads_in_one_burst() -> None:
    """At one moment: shares within one of the weights after every lead, none for absent members, customers stay."""
    away = Rep(name="eve", weight=9, absent=(Absence(first=a_day(0), last=a_day(3)),))
    weights = {"ann": 7, "bob": 5, "cyn": 1, "dan": 1}
    reps = (*(Rep(name=name, weight=weight) for name, weight in weights.items()), away)
    rules = RoutingRules(reps=reps, teams=(Team(name="all", reps=(*weights, "eve")),), catch_all="all")
    desk, chance = Desk(rules), random.Random(0)
    fresh: Counter[str] = Counter()
    owners: dict[int, str] = {}
    for number in range(BURST):
        returning = bool(owners) and chance.random() < 0.3
        customer = chance.choice(range(number)) if returning else number
        owner = desk.give(lead(number, f"user_id:{customer}", at_ms=START_MS))
        if customer in owners:
            assert owner == owners[customer]
            continue
        owners[customer] = owner
        fresh[owner] += 1
        for name, weight in weights.items():
            assert abs(fresh[name] * 14 - weight * fresh.total()) < 14
    assert 6_000 < fresh.total() < 9_000
    assert set(fresh) == set(weights)


def test_a_team_whose_members_are_full_and_free_again_in_turns_stays_fair() -> None:
    """Counters that began anew whenever cyn comes or goes would give ann every lead after a change."""
    reps = (Rep(name="ann"), Rep(name="bob"), Rep(name="cyn", capacity="1 per 2 h"))
    rules = RoutingRules(reps=reps, teams=(Team(name="all", reps=("ann", "bob", "cyn")),), catch_all="all")
    desk = Desk(rules)
    got = Counter(desk.give(lead(n, at_ms=START_MS + n * 3_600_000)) for n in range(600))
    assert abs(got["ann"] - got["bob"]) <= 4
    assert got["cyn"] > 100


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS // 4))
def test_no_representative_gets_more_leads_than_their_capacity(seed: int) -> None:
    chance = random.Random(seed)
    period_ms, limit = chance.choice((3_600_000, DAY_MS)), chance.randint(1, 5)
    words = "1 h" if period_ms == 3_600_000 else "1 d"
    reps = (Rep(name="ann", weight=5, capacity=f"{limit} per {words}"), Rep(name="bob"))
    desk = Desk(RoutingRules(reps=reps, teams=(Team(name="all", reps=("ann", "bob")),), catch_all="all"))
    at_ms, taken = START_MS, []
    for number in range(200):
        at_ms += chance.randrange(period_ms // 3)
        full = len(taken) >= limit and at_ms - taken[-limit] < period_ms
        owner = desk.give(lead(number, at_ms=at_ms))
        assert ("ann has reached the capacity of" in desk.reason) == full, replay(seed)
        if owner == "ann":
            taken.append(at_ms)
    for first, beyond in zip(taken, taken[limit:], strict=False):
        assert beyond - first >= period_ms, replay(seed)
    assert len(taken) > limit
