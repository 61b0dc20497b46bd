"""Regular expressions of rules: no value makes one slow, and what the engine cannot express is refused with advice."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.recognise import MAX_VALUE_CHARS
from pipeline.event.rules import IdentifierType
from pipeline.rules.load import load_rules
from pipeline.rules.patterns import PatternError, any_match, check_pattern

CPU_SECONDS_FOR_A_MILLION_CHARACTERS = 5.0


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a|aa)+$b", ".*.*.*.*=b"])
def test_a_pattern_that_would_backtrack_for_ever_ends_at_once(pattern: str) -> None:
    matches = any_match([pattern])
    started = time.process_time()

    assert not matches("a" * 1_000_000)

    assert time.process_time() - started < CPU_SECONDS_FOR_A_MILLION_CHARACTERS


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        (r"(\d)\1", "alternatives"),
        (r"(?P<n>a)(?P=n)", "look-around"),
        (r"a(?=b)", "look-around"),
        (r"(?<!a)b", "look-around"),
        (r"a{2000}", "1000"),
        (r"a++", "a single sign"),
        (r"a\Z", "as a whole"),
        ("(", "put a \\ before"),
        ("\ud800", "put a \\ before"),
    ],
)
def test_what_the_engine_cannot_express_is_refused_with_what_to_write(pattern: str, advice: str) -> None:
    with pytest.raises(PatternError) as refused:
        check_pattern(pattern)
    message, _, instead = str(refused.value).partition("; ")
    assert message.startswith(f"{pattern!r} is not a regular expression: ")
    assert advice in instead
    with pytest.raises(PatternError):
        any_match(["a", pattern])


def test_one_of_several_must_match_as_a_whole_in_any_case() -> None:
    matches = any_match(["[0-]+", "ÄPFEL.*"])
    assert [value for value in ("000-0", "äpfel2", "x0", "0x", "", "\ud800") if matches(value)] == ["000-0", "äpfel2"]
    assert not any_match([])("")


@given(value=st.text(max_size=MAX_VALUE_CHARS))
@pytest.mark.parametrize("kind", load_rules().identifiers, ids=lambda kind: kind.name)
def test_the_shipped_patterns_are_what_each_is_alone(kind: IdentifierType, value: str) -> None:
    patterns = kind.blocked_patterns
    assert any_match(patterns)(value) == any(any_match([pattern])(value) for pattern in patterns)
