"""The moments people name."""

import pytest

from pipeline.query.as_of import NotAMomentError, as_of_ms
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
def test_what_is_no_moment_is_told_what_to_write(text):
    with pytest.raises(NotAMomentError, match="write now, latest, or a date like"):
        as_of_ms(text, 99)
