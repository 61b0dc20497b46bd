"""Durations and limits as they are written in rules files."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.duration import UNITS_MS, compact_duration, format_duration, parse_duration
from pipeline.identity.limits import format_limit, parse_limit
from pipeline.rules.forms import DURATION_PATTERN


@pytest.mark.parametrize(
    ("text", "found_ms"),
    [
        ("7 d", 604_800_000), ("7d", 604_800_000), ("1 day", 86_400_000), ("7 days", 604_800_000), ("24 h", 86_400_000),
        ("2 hours", 7_200_000), ("5 min", 300_000), ("5m", 300_000), ("1 h 30 min", 5_400_000), ("90 s", 90_000),
        ("250 ms", 250), ("2 weeks", 1_209_600_000), ("  3   H ", 10_800_000),
    ],
)  # fmt: skip
def test_people_write_durations_in_many_ways(text: str, found_ms: int) -> None:
    assert parse_duration(text) == found_ms


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("7", "a number and a unit"), ("d", "a number and a unit"), ("", "a number and a unit"),
        ("-7 d", "a number and a unit"), ("1.5 h", "a number and a unit"), ("7 dogs", "ms, s, min, h, d or w"),
        ("2 months", "30 d"), ("1 year", "365 d"), ("0 d", "above zero"),
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=10**13))
def test_a_duration_that_is_shown_reads_as_the_same(duration_ms: int) -> None:
    assert parse_duration(format_duration(duration_ms)) == duration_ms


@given(st.integers(1, 999), st.sampled_from(sorted(UNITS_MS)))
def test_a_window_keeps_the_unit_it_was_written_in(number: int, unit: str) -> None:
    label = compact_duration(f"{number} {unit}")
    assert parse_duration(label) == number * UNITS_MS[unit]
    assert label == f"{number}{'m' if unit == 'min' else unit}"
    assert compact_duration("1 h 30 min") == "90m"


@pytest.mark.parametrize(
    ("text", "count", "period_ms"),
    [
        ("1 ever", 1, 0),
        ("5 per 7 d", 5, 604_800_000),
        ("5 per 7 days", 5, 604_800_000),
        ("2 PER 1 h 30 min", 2, 5_400_000),
    ],
)
def test_limits_have_a_number_and_a_period(text: str, count: int, period_ms: int) -> None:
    limit = parse_limit(text)
    again = parse_limit(format_limit(limit))
    assert (limit.count, limit.period_ms) == (again.count, again.period_ms) == (count, period_ms)


@pytest.mark.parametrize("text", ["ever", "0 ever", "-1 ever", "5", "5 per", "5 per 7", "5 in 7 d", "1 ever and ever"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_limit(text)


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_a_plain_refusal(text: str) -> None:
    try:
        assert parse_duration(text) >= 1
    except ValueError as error:
        assert "; write" in str(error)  # noqa: PT017 - both ways are right


def test_the_pattern_for_editors_takes_what_the_examples_show() -> None:
    for text in ("7 d", "24h", "1 h 30 min", "2 weeks", "5 minutes"):
        assert re.search(DURATION_PATTERN, text)
    assert not re.search(DURATION_PATTERN, "7 months")
