import pytest

from pipeline.event.recognise import CORE_NORMALISERS, MAX_VALUE_CHARS, Normalisers, Recogniser, lower, text
from pipeline.event.rules import DEFAULT_TYPES, IdentifierType
from pipeline.rules.patterns import PatternError, any_match

CORE = Normalisers(CORE_NORMALISERS, any_match)
TYPES = (
    IdentifierType(name="user_id", priority=1, blocked_values=frozenset({"Guest"})),
    IdentifierType(name="device_id", priority=2, normalise="lower", blocked_patterns=("[0-]+", "tv-.*")),
    IdentifierType(name="anonymous_id", priority=2),
)


@pytest.fixture
def rank():
    return Recogniser(TYPES, CORE).rank


def test_text_is_trimmed_and_composed_and_must_print():
    assert text("  Ab c ") == "Ab c"
    assert text("e\u0301") == "\u00e9"
    assert [text(bad) for bad in ("", " \t", "a\x00b", "a\nb", "\ud800")] == [None] * 5


def test_lower_is_text_without_case():
    assert lower(" AbC ") == "abc"
    assert lower(" ") is None


def test_an_identifier_gets_its_types_priority(rank):
    assert rank("user_id: U1 ") == (1, "user_id:U1")
    assert rank("device_id:A:B") == (2, "device_id:a:b")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("fax:1", "undeclared"),
        ("user_id", "invalid"),
        ("user_id:", "invalid"),
        ("user_id:" + "x" * (MAX_VALUE_CHARS + 1), "invalid"),
        ("user_id: gUEST", "blocked"),
        ("device_id:0000-0000", "blocked"),
        ("device_id:TV-7", "blocked"),
    ],
)
def test_a_rejected_identifier_has_a_reason(rank, raw, why):
    assert rank(raw) == (-1, why)


def test_a_value_that_grows_beyond_the_limit_is_invalid():
    doubled = Recogniser(
        (IdentifierType(name="a", priority=0, normalise="x2"),), Normalisers({"x2": lambda value: value * 2}, any_match)
    )
    assert doubled.rank("a:" + "x" * MAX_VALUE_CHARS) == (-1, "invalid")


def test_patterns_block_whole_values_only(rank):
    assert rank("device_id:a-tv-7") == (2, "device_id:a-tv-7")


def test_an_events_identifiers_are_unique_and_strongest_first_then_by_text():
    recogniser = Recogniser(TYPES, CORE)
    raws = ("device_id:B", "anonymous_id:z", "device_id:b", "user_id:guest", "user_id:u", "fax:1")
    assert recogniser.resolve(raws) == (
        ("user_id:u", "anonymous_id:z", "device_id:b"),
        {"user_id:guest": "blocked", "fax:1": "undeclared"},
    )


def test_a_type_with_an_unknown_normaliser_is_refused():
    with pytest.raises(KeyError, match="email"):
        Recogniser(DEFAULT_TYPES, CORE)


def test_a_broken_pattern_is_refused():
    with pytest.raises(PatternError):
        Recogniser((IdentifierType(name="a", priority=0, blocked_patterns=("(",)),), CORE)


@pytest.mark.parametrize("hidden", ["\u200b", "\ufeff", "\u00a0", "\u00ad", "\u2060", "\u200e"])
def test_invisible_characters_make_no_other_identifier(rank, hidden):
    for raw in (f"user_id:{hidden}U1", f"user_id:U1{hidden}", f"user_id:U{hidden}1"):
        assert rank(raw) == (1, "user_id:U1")
    assert rank(f"user_id:{hidden}") == (-1, "invalid")


def test_the_number_of_remembered_results_is_bounded():
    recogniser = Recogniser(TYPES, CORE, 3)
    for number in range(9):
        assert recogniser.resolve((f"user_id:{number}",)) == ((f"user_id:{number}",), {})
    assert (recogniser.rank.cache_info().currsize, recogniser.resolve.cache_info().currsize) == (3, 3)
