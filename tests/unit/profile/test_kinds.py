import random
from functools import reduce
from math import ceil
from typing import Any

import pytest

from pipeline.event.duration import MINUTE_MS
from pipeline.profile.kinds import KINDS, kind_of
from pipeline.profile.kinds.purchases import Purchases, purchases_of
from pipeline.profile.kinds.sessions import join_runs, sessions
from pipeline.profile.kinds.values import MAX_VALUES


def cell(kind: str, values: list[Any]) -> Any:
    made = [KINDS[kind].lift(value, 0, str(number)) for number, value in enumerate(values)]
    return reduce(KINDS[kind].add, made)


@pytest.mark.parametrize("many", [1, 2, 3, 100, 255, 256])
def test_distinct_is_exact_up_to_256_values(many: int) -> None:
    values = [f'"v{n}"' for n in range(many)] * 2
    assert KINDS["distinct"].read(cell("distinct", values), 1) == many


def test_distinct_is_the_same_in_any_order_of_merging_across_the_bound() -> None:
    parts = [cell("distinct", [f'"v{n}"' for n in range(start, start + 200)]) for start in (0, 100, 250)]
    add = KINDS["distinct"].add
    a, b, c = parts
    assert add(add(a, b), c) == add(a, add(b, c)) == add(add(c, a), b)
    assert KINDS["distinct"].read(add(add(a, b), c), 1) == pytest.approx(450, rel=0.1)


def test_quantiles_take_the_nearest_rank() -> None:
    result = KINDS["quantiles"].read(cell("quantiles", [10, 20]), 1)
    assert result == {"p50": pytest.approx(10, rel=0.0101), "p90": pytest.approx(20, rel=0.0101),
                     "p99": pytest.approx(20, rel=0.0101)}  # fmt: skip


@pytest.mark.parametrize("many", [1, 20, 500, 3_000, 20_000])
def test_distinct_is_within_ten_percent(many: int) -> None:
    result = KINDS["distinct"].read(cell("distinct", [f'"v{n}"' for n in range(many)]), 1)
    assert result == pytest.approx(many, rel=0.1)


def test_quantiles_are_within_one_percent_of_the_value_at_their_rank() -> None:
    values = [*range(-500, 10_000, 7), 0, 0, 4_000_000]
    result = KINDS["quantiles"].read(cell("quantiles", values), 1)
    ranked = sorted(values)
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        assert result[name] == pytest.approx(ranked[ceil(share * len(ranked)) - 1], rel=0.0101)
    assert KINDS["quantiles"].read(cell("quantiles", [-200]), 1)["p50"] == pytest.approx(-200, rel=0.0101)
    assert KINDS["quantiles"].read(cell("quantiles", [0]), 1) == {"p50": 0.0, "p90": 0.0, "p99": 0.0}


def test_of_more_values_than_are_kept_those_kept_are_counted_exactly() -> None:
    values = [f'"v{n % 200}"' for n in range(2_000)]
    kept = cell("unique", values)
    assert len(kept) == MAX_VALUES
    assert {count for _, (_, count) in kept} == {10}
    random.Random(3).shuffle(values)
    assert cell("unique", values) == kept


def test_the_most_frequent_value_wins_and_ties_go_by_text() -> None:
    assert KINDS["most_frequent"].read(cell("most_frequent", ['"b"', '"a"', '"b"', "1"]), 1) == "b"
    assert KINDS["most_frequent"].read(cell("most_frequent", ['"b"', '"a"']), 1) == "a"


DAY_MS = 86_400_000


def purchase(day: int, *amounts: int) -> Any:
    return reduce(KINDS["purchases"].add, [KINDS["purchases"].lift(amount, day * DAY_MS, "") for amount in amounts])


def test_purchases_are_kept_by_day_whatever_the_order_and_no_cell_is_changed() -> None:
    days = [purchase(9, 100), purchase(7, 50, 60), purchase(9, 5), purchase(12, 0), purchase(7, 40)]
    before = [[*map(list, day)] for day in days]
    expected = [[7, [150, 3]], [9, [105, 2]], [12, [0, 1]]]
    for seed in range(20):
        shuffled = random.Random(seed).sample(days, len(days))
        assert reduce(KINDS["purchases"].add, shuffled) == expected
    assert days == before
    assert purchases_of(expected) == Purchases(7, 12, 3, 6, 255, 105)


def test_a_refund_takes_from_its_day_and_is_neither_an_order_nor_a_purchase_day() -> None:
    cell = reduce(KINDS["purchases"].add, [purchase(5, -10), purchase(7, 100, -30), purchase(8, -20), purchase(9, 50)])
    assert purchases_of(cell) == Purchases(first_day=7, last_day=9, days=2, orders=2, total_minor=90, repeat_minor=50)
    assert purchases_of(purchase(7, -30)) is None
    assert KINDS["purchases"].read(purchase(7, -30), 1) is None
    assert KINDS["purchases"].read(cell, 1)["history"] == [[5, -10, 0], [7, 70, 1], [8, -20, 0], [9, 50, 1]]


def test_the_five_most_frequent_values_come_with_counts_and_shares_of_all() -> None:
    result = KINDS["top"].read(cell("top", ['"a"', '"b"', '"b"', *(str(n) for n in range(5))]), 1)
    assert result[:2] == [{"value": "b", "count": 2, "share": 0.25}, {"value": "a", "count": 1, "share": 0.125}]
    assert [item["value"] for item in result[2:]] == [0, 1, 2]


def test_a_count_is_one_for_every_event() -> None:
    assert KINDS["count"].read(cell("count", [None, None, None]), 1) == 3


def test_the_time_since_depends_on_when_it_is_read() -> None:
    kind = KINDS["time_since"]
    newest = kind.add(kind.lift(None, 50, "b"), kind.lift(None, 20, "a"))
    assert [kind.read(newest, at) for at in (50, 80)] == [0, 30]


def test_a_gap_of_exactly_its_length_does_not_end_a_session_and_one_longer_does() -> None:
    kind = sessions(5)
    assert kind.add([[0, 10, 2]], [[15, 15, 1]]) == join_runs([[0, 10, 2]], [[15, 15, 1]], 5) == [[0, 15, 3]]
    assert kind.add([[0, 10, 2]], [[16, 16, 1]]) == join_runs([[0, 10, 2]], [[16, 16, 1]], 5)
    assert kind.add([[0, 10, 2]], [[16, 16, 1]]) == [[0, 10, 2], [16, 16, 1]]
    kind = kind_of(f"sessions@{10 * MINUTE_MS}")
    assert kind is sessions(10 * MINUTE_MS)
    assert [kind.read([[0, 0, 1]], at)["open"] for at in (10 * MINUTE_MS, 10 * MINUTE_MS + 1)] == [True, False]


def test_an_event_between_two_sessions_can_make_them_one() -> None:
    kind, apart = sessions(5), [[0, 3, 2], [12, 14, 3]]
    assert kind.add(apart, [[7, 8, 2]]) == [[0, 14, 7]]
    assert kind.add(apart, [[4, 4, 1]]) == [[0, 4, 3], [12, 14, 3]]
    assert kind.add(apart, [[13, 13, 1]]) == [[0, 3, 2], [12, 14, 4]]
    assert apart == [[0, 3, 2], [12, 14, 3]]


def test_an_average_divides_exact_sums_when_it_is_read() -> None:
    average = KINDS["average"]
    one, two = cell("average", [10, 20]), cell("average", [33])
    assert average.add(one, two) == average.add(two, one) == [63, 3]
    assert average.read(average.add(one, two), 1) == 21.0
    assert average.read(average.add(one, two), 100) == 0.21
