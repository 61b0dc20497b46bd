"""The grammar: the trees of valid texts, and position, message and advice for invalid ones."""

import pytest

from pipeline.condition.errors import ConditionError
from pipeline.condition.grammar import MAX_DEPTH, parse
from pipeline.condition.lexer import MAX_CHARACTERS
from pipeline.condition.syntax import Among, And, Compare, Known, Name, Not, Or, Truth, Value
from pipeline.condition.text import format_condition
from pipeline.event.duration import format_duration

DAY_MS = 86_400_000


def number(result: float) -> Value:
    return Value("number", result)


PARSED = [
    (
        "spent.EUR over 30 d >= 500 and orders over 90 d >= 3",
        And((
            Compare(Name(("spent", "EUR"), 30 * DAY_MS), ">=", number(500)),
            Compare(Name(("orders",), 90 * DAY_MS), ">=", number(3)),
        )),
    ),
    ("last_order > 31 d", Compare(Name(("last_order",)), ">", Value("duration", 31 * DAY_MS))),
    (
        'traits.plan = "gold" and (score.engagement >= 50 or not segment.dormant)',
        And((
            Compare(Name(("traits", "plan")), "=", Value("text", "gold")),
            Or((
                Compare(Name(("score", "engagement")), ">=", number(50)),
                Not(Truth(Name(("segment", "dormant")))),
            )),
        )),
    ),
    (
        'traits.country in ["DE", "AT"] and traits.phone is known and traits.tags contains "b2b"',
        And((
            Among(Name(("traits", "country")), (Value("text", "DE"), Value("text", "AT"))),
            Known(Name(("traits", "phone"))),
            Compare(Name(("traits", "tags")), "contains", Value("text", "b2b")),
        )),
    ),
    ("consent.marketing/email = true", Compare(Name(("consent", "marketing/email")), "=", Value("truth", True))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), PARSED, ids=[text for text, _ in PARSED])
def test_a_condition_is_read_as_it_is_meant(text, tree):
    assert parse(text) == tree
    assert format_condition(tree) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a AND b Or Not c", "a and b or not c"),
        ("a and (b and c)", "a and (b and c)"),
        ("(a and b) or c", "a and b or c"),
        ("(a or b) and c", "(a or b) and c"),
        ("((a))", "a"),
        ("not (a or b)", "not (a or b)"),
        ("not not a", "not not a"),
        ("not a.b != 1", "not a.b != 1"),
        ("a  NOT\n\tIN [ 1,2.50 ,-3 ]", "a not in [1, 2.5, -3]"),
        ("a Is Known and b is UNKNOWN", "a is known and b is unknown"),
        ("a = 'it\\'s' and b = \"\\\"x\\\\\\n\"", 'a = "it\'s" and b = "\\"x\\\\\\n"'),
        ("a=1 and b<=007", "a = 1 and b <= 7"),
        ("a over 1 h 30 min >= 5.0", "a over 90 min >= 5"),
        ("a over 7days>2 weeks", "a over 7 d > 14 d"),
        ("a < 0.0000001", "a < 0.0000001"),
        ("traits.`favourite colour`.`a``b` = FALSE", "traits.`favourite colour`.`a``b` = false"),
        ("`Not` and not.x and `x`", "`Not` and not.x and x"),
        ("traits.2fa and traits.`x.y` and über", "traits.2fa and traits.`x.y` and über"),
    ],
)
def test_one_condition_has_one_canonical_text(text, canonical):
    assert format_condition(parse(text)) == canonical
    assert format_condition(parse(canonical)) == canonical


def test_equal_trees_compare_equal_whatever_their_positions():
    assert parse("  a = 1") == parse("a=1")
    assert hash(parse("  a = 1")) == hash(parse("a=1"))
    assert parse("a = 1") != parse("a = 1 d")


WRONG = [
    ("", 0, "the condition is empty", "write one"),
    (" \n", 0 + 2, "the condition is empty", "write one"),
    ("a =", 3, "a value is missing after =", "a number, a text in quotes"),
    ("a = and b", 4, "a value is missing after =", "a number, a text in quotes"),
    ("a == 1", 2, "== is no sign", "write = for equality"),
    ("a <> 1", 2, "<> is no sign", "write !="),
    ("a => 1", 2, "=> is no sign", "write >="),
    ("a =< 1", 2, "=< is no sign", "write <="),
    ("a && b", 2, "&& is no sign", "write and"),
    ("a || b", 2, "|| is no sign", "write or"),
    ("!a", 0, "! is no sign", "write not"),
    ("a ≥ 1", 2, "≥ is no sign", "write >="),
    ("a ? b", 2, "'?' is no sign", "leave it out"),
    ("a = 5 %", 6, "% is no sign", "the number without it"),
    ("= 1", 0, "a name is missing before =", "write one"),
    ("a and", 5, "a name is missing", "write one"),
    ("a and or b", 6, "a name is missing before or", "write one"),
    ("()", 1, "a name is missing before )", "write one"),
    ('"gold" = a', 0, '"gold" is a value', "write the name first"),
    ("true", 0, "true is a value", "write the name first"),
    ("a = gold", 4, "gold is a name", 'write "gold" in quotes'),
    ("a = null", 4, "null is no value", "write a is unknown"),
    ("a != None", 5, "None is no value", "write a is known"),
    ("a in [null]", 6, "null is a name", 'write "null" in quotes'),
    ("a 5", 2, "an operator is missing before 5", "write = for equality"),
    ("a true", 2, "an operator is missing before true", "write = for equality"),
    ('a is "gold"', 5, "is goes with known and unknown only", 'write a = "gold"'),
    ("a is", 4, "is goes with known and unknown only", "write a is known"),
    ("a is not known", 9, "is not is no operator", "write is unknown"),
    ("a not b", 6, "not after a name", "write not a, or not in"),
    ('a in "x"', 5, "a list is missing", "write one"),
    ('a in ("x")', 5, "square brackets", "write [ and ]"),
    ("a in []", 5, "an empty list", "write the values"),
    ("a in [1", 5, "[ is not closed", "write ] where it ends"),
    ('a in ["x" "y"]', 10, '"y" does not belong in a list', "write , between"),
    ("a in [1,]", 8, "a value is missing after [", "a number"),
    ("a = [1]", 4, "= goes with one value", "write in for a list"),
    ("(a", 0, "( is not closed", "write ) where it ends"),
    ("(a b)", 3, "b cannot stand here", "and or or"),
    ("a)", 1, ") closes nothing", "leave it out"),
    ("a]", 1, "] closes nothing", "leave it out"),
    ("a, b", 1, "a comma is allowed in lists only", "join conditions with and"),
    ("a = 1,000", 5, "a comma is allowed in lists only", "write numbers without separators"),
    ("a = 1 000", 6, "000 follows 1", "without blanks"),
    ("a b", 2, "b cannot stand here", "and or or between conditions"),
    ("a [1]", 2, "[ cannot stand here", "and or or between conditions"),
    ("a ands b", 2, "ands cannot stand here", "did you mean and?"),
    ("a contians 1", 2, "contians cannot stand here", "did you mean contains?"),
    ("a equals 1", 2, "equals is no operator", "write ="),
    ("a between 1", 2, "between is no operator", "write >= and <="),
    ("a over", 6, "a duration is missing after over", "over 30 d"),
    ("a over 30 >= 3", 10, "a unit of time is missing after 30", "write 30 d"),
    ("a over 3 months", 9, "'months' has no fixed length", "write days"),
    ("a > 3 dogs", 6, "'dogs' is not a unit of time", "ms, s, min, h, d or w"),
    ("a > 1.5 h", 8, "whole numbers above zero", "1 h 30 min"),
    ("a > -1 d", 7, "whole numbers above zero", "1 h 30 min"),
    ("a > 0 d", 4, "0 d is a duration of zero", "above zero"),
    ("a > 1234567890123456 d", 4, "a duration of more than 15 digits", "shorten it"),
    ("a > 1 d 1234567890123456 h", 8, "a duration of more than 15 digits", "shorten it"),
    ("a = 1234567890123456", 4, "a number of more than 15 digits", "round it"),
    ("a = 0." + "1" * 31, 4, "a number of more than 15 digits", "round it"),
    ('a = "x', 4, "a quote that is not closed", 'write " at the end'),
    ("a = 'x\n'", 4, "a quote that is not closed", "write ' at the end"),
    ("a = “x”", 4, "“ is no quote here", "straight quotes"),
    ('a = "C:\\d"', 7, "\\d stands for nothing", "write \\\\ for a backslash"),
    ("`a", 0, "a backtick that is not closed", "write ` at the end"),
    ("traits. = 1", 6, "a dot that joins nothing", "before it and after it"),
    ("(" * (MAX_DEPTH + 1), MAX_DEPTH, "too deep", "make segments"),
    ("not " * MAX_DEPTH + "a", 4 * MAX_DEPTH, "too deep", "make segments"),
    ("a" * (MAX_CHARACTERS + 1), MAX_CHARACTERS, "more than 10000 characters", "make segments"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "position", "message", "instead"), WRONG, ids=[case[0][:30] for case in WRONG])
def test_a_mistake_is_shown_at_its_place_with_what_to_write(text, position, message, instead):
    with pytest.raises(ConditionError) as caught:
        parse(text)
    error = caught.value
    assert (error.position, message in error.message, instead in error.instead) == (position, True, True), error


def test_an_error_can_be_pointed_out_in_the_text_it_is_about():
    text = "a = 1\n  and b == 2"
    with pytest.raises(ConditionError) as caught:
        parse(text)
    assert caught.value.with_caret(text) == (
        "  and b == 2\n        ^ == is no sign of this language; write = for equality"
    )


def test_durations_are_shown_in_the_largest_unit_that_is_exact():
    assert [format_duration(ms) for ms in (1, 1500, 90_000, 5_400_000, 14 * DAY_MS)] == [
        "1 ms", "1500 ms", "90 s", "90 min", "14 d",
    ]  # fmt: skip
