"""The moments people name."""

import pytest

from pipeline.profile.ledger import Ledger
from pipeline.profile.row import ProfileRow
from pipeline.query.as_of import NotAMomentError, PastMomentError, as_of_ms, refuse_past, refuse_past_of
from pipeline.query.profiles import LATEST


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("now", 99),
        ("latest", LATEST),
        ("1970-01-02", 86_400_000),
        ("2026-03-01T12:00:00.250+01:00", 1_772_362_800_250),
    ],
)
def test_words_and_iso_times_are_moments(text, ms):
    assert as_of_ms(text, 99) == ms


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "1772362800250"])
def test_an_invalid_moment_is_refused_with_the_correction(text):
    with pytest.raises(NotAMomentError, match="write now, latest, or a date like"):
        as_of_ms(text, 99)


NEWEST_MS = 1_772_366_400_000
"""2026-03-01T12:00:00Z."""


@pytest.mark.parametrize(
    "text", ["now", "latest", "2026-03-01T12:00:00Z", "2026-03-01T13:00:00.001+01:00", "2030-01-01"]
)
def test_a_moment_from_the_newest_event_on_can_be_named(text):
    refuse_past(text, NEWEST_MS)


@pytest.mark.parametrize("text", ["2026-03-01T11:59:59.999Z", "2026-03-01", "1999-12-31"])
def test_an_earlier_moment_is_refused_with_those_that_can_be_named(text):
    with pytest.raises(PastMomentError, match=f"^{text} is before .* 2026-03-01T12:00:00.000Z.* write latest .* now"):
        refuse_past(text, NEWEST_MS)


def test_of_several_profiles_the_newest_event_counts_and_words_read_none():
    rows = [
        ("p", ProfileRow("default", anchors={"user_id:a": Ledger(last=(at_ms, "m", "web", "track", "View", ""))}))
        for at_ms in (NEWEST_MS, 5)
    ]
    refuse_past_of("2026-03-02", rows)
    refuse_past_of("1999-12-31", [])
    refuse_past_of("now", iter(lambda: pytest.fail("was read"), None))
    with pytest.raises(PastMomentError):
        refuse_past_of("2026-02-28", rows)
