from datetime import UTC, datetime, timedelta

import pytest

from pipeline.event.instant import format_instant, parse_instant


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01t12:00:00z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01 12:00:00", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01T12:00", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01", "2026-03-01T00:00:00+00:00"),
        ("2026-03-01T12:00:00.5+01:30", "2026-03-01T12:00:00.500+01:30"),
        ("2026-03-01T12:00:00,25-0800", "2026-03-01T12:00:00.250-08:00"),
        ("2026-03-01T12:00:00.123999999+05", "2026-03-01T12:00:00.123+05:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00+00:00"),
        ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00+00:00"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
    ],
)
def test_iso_text_is_the_instant_of_the_standard_library(text, iso):
    expected = datetime.fromisoformat(iso)
    assert parse_instant(text) == round(expected.timestamp() * 1000)


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "2026-3-1", "2026-13-01", "2026-00-01", "2026-02-29", "1900-02-29", "2026-04-31", "2026-01-00",
        "2026-01-01T24:00:00Z", "2026-01-01T12:60:00Z", "2026-01-01T12:00:61Z", "2026-01-01T12:00:00+24:00",
        "2026-01-01T12:00:00+00:60", "2026-01-01T12Z", "2026-01-01T12:00:00Z tail", "1772366400", "\u0662026-01-01",
    ],
)  # fmt: skip
def test_what_is_not_a_date_is_none(text):
    assert parse_instant(text) is None


def test_every_day_of_eight_centuries_agrees_with_the_standard_library():
    day = datetime(1600, 1, 1, tzinfo=UTC)
    for _ in range(800 * 366):
        day += timedelta(days=1)
        ms = round(day.timestamp()) * 1000
        assert parse_instant(day.strftime("%Y-%m-%d")) == ms
        assert format_instant(ms) == day.strftime("%Y-%m-%dT00:00:00.000Z")


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0000-02-29T00:00:00.001z", -62_162_121_599_999),
        ("0000-01-01T00:00:00+01:00", -62_167_222_800_000),
        ("9999-12-31T23:59:60-00:30", 253_402_302_600_000),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140_000),
    ],
)
def test_the_ends_of_the_calendar_are_read_exactly(text, ms):
    assert parse_instant(text) == ms


def test_years_that_four_digits_cannot_write_have_no_text():
    assert format_instant(253_402_300_799_999) == "9999-12-31T23:59:59.999Z"
    assert format_instant(253_402_300_800_000) is None
    assert format_instant(-62_167_219_200_000) == "0000-01-01T00:00:00.000Z"
    assert format_instant(-62_167_219_200_001) is None
