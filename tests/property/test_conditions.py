"""Conditions: text and tree round-trip, no input crashes the parser, and results hold until their due time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.condition.compiler import compile_condition
from pipeline.condition.errors import ConditionError
from pipeline.condition.grammar import parse
from pipeline.condition.syntax import KEYWORDS, Expression
from pipeline.condition.text import format_condition
from tests.property.condition_worlds import DAY, EXPRESSIONS, QUESTIONS, WORLDS, World, means, moments, resolve

_PIECES = (
    *sorted(KEYWORDS), *"()[],.`\"'\\!=<>-&|%?", "==", ">=", "traits.plan", "a", '"gold"', "'x'", "500", "-1.5", "31 d",
    "1 h 30 min", "3 months", " ", "\n", "\t", "“", "é", "²", "٣", "\x00", "\u2028", "not in [1]", "is known",
)  # fmt: skip
GARBAGE = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(_PIECES), max_size=12).map(" ".join))


def read(text: str) -> Expression | ConditionError:
    try:
        return parse(text)
    except ConditionError as error:
        return error


@given(EXPRESSIONS)
def test_the_canonical_text_of_a_tree_reads_as_the_same_tree(expression: Expression) -> None:
    text = format_condition(expression)
    assert parse(text) == expression
    assert format_condition(parse(text)) == text


@given(GARBAGE)
def test_any_text_is_a_condition_or_refused_at_a_place_in_it(text: str) -> None:
    truth = read(text)
    if isinstance(truth, ConditionError):
        assert 0 <= truth.position <= len(text)
        assert truth.message
        assert truth.instead
        assert "^" in truth.with_caret(text)
    else:
        assert parse(format_condition(truth)) == truth


@given(st.lists(st.sampled_from(_PIECES), max_size=4).map(" ".join), st.sampled_from(("(", "not ", "[", '"')))
def test_a_flood_of_openings_exhausts_nothing(text: str, opening: str) -> None:
    with pytest.raises(ConditionError):
        parse(opening * 3000 + text)


@given(QUESTIONS, WORLDS, st.integers(0, DAY))
def test_a_compiled_condition_equals_the_naive_evaluation(asked, steps, now) -> None:
    world = World(steps, now)
    compiled = compile_condition(asked, resolve)
    assert compiled.holds(world) == compiled.outlook(world)[0] == means(asked, world)


@given(QUESTIONS, WORLDS)
def test_an_answer_stands_until_it_is_due_and_due_times_never_go_back(asked, steps) -> None:
    compiled = compile_condition(asked, resolve)
    now = 0
    while now <= DAY:
        current, due = compiled.outlook(World(steps, now))
        assert due > now
        for moment in moments(now, due):
            assert means(asked, World(steps, moment)) == current
            assert compiled.outlook(World(steps, moment))[1] >= due
        now = due
