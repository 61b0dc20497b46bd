"""The compiler over custom facts: results, rejected conditions and due times."""

from types import SimpleNamespace

import pytest

from pipeline.condition.compiler import compile_condition
from pipeline.condition.due import FOREVER, due_growing, due_in_steps
from pipeline.condition.errors import ConditionError, MeaningError
from pipeline.condition.grammar import parse
from pipeline.condition.operand import Timeless, converted_span


def operands(path, window):
    name = path[0]
    if name not in {"number", "text", "truth", "any"}:
        message = f"there is no {name}"
        raise MeaningError(message, "name a kind")
    return Timeless(name, lambda facts: getattr(facts, name if window is None else f"{name}_{window}", None))


def holds(text: str, /, **facts: object) -> bool:
    compiled = compile_condition(parse(text), operands)
    requested = SimpleNamespace(**facts)
    assert compiled.outlook(requested) == (compiled.holds(requested), FOREVER)
    return compiled.holds(requested)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("number = 5", 5), ("number = 5", 5.0), ("number != 5", 6), ("number != 5", None), ("number < 5", 4.9),
        ("number <= 5", 5), ("number > 5", 6), ("number >= 5", 5), ("number in [1, 5]", 5), ("number not in [1]", 5),
        ("number not in [1]", None), ("number is known", 0), ("number is unknown", None),
        ("text = 'a'", "a"), ("text < 'b'", "a"), ("text >= '2026-03-01'", "2026-03-02"), ("text contains 'b'", "abc"),
        ("text contains ''", ""), ("text in ['a', 'b']", "b"), ("text is known", ""),
        ("truth", True), ("not truth", False), ("not truth", None), ("truth = true", True), ("truth != true", None),
        ("any", True), ("any = 1", 1), ("any != 1", True), ("any = true", True), ("any != true", 1), ("any > 1", 2),
        ("any contains 'b2b'", ["b2b"]), ("any contains 1", [2, 1]), ("any contains 'b'", "abc"),
        ("any in [1, 'a', true]", "a"), ("any > 'a'", "b"), ("any = 1", "1"), ("any > 1", "2"),
    ],
)  # fmt: skip
def test_what_holds(text, value):
    assert holds(text, **{text.removeprefix("not ").split()[0]: value})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("number = 5", None), ("number < 5", None), ("number in [1]", None), ("number in [1]", 2),
        ("number not in [1, 2]", 2), ("number is known", None), ("number is unknown", 0), ("text = 'a'", "A"),
        ("text contains 'b'", None), ("text contains 'b'", "a"), ("truth", None), ("truth", False),
        ("any", 1), ("any", "true"), ("any = 1", True), ("any = 1", "1,000"), ("any > 1", "two"), ("any > 'a'", 5),
        ("any > 0", True), ("any contains 1", [True]), ("any contains 1", "1"), ("any contains 'a'", 5),
        ("any > 0", [1]),
    ],
)  # fmt: skip
def test_what_does_not_hold(text, value):
    assert not holds(text, **{text.split()[0]: value})


def test_parts_are_joined_and_the_first_that_decides_ends_the_quick_question():
    assert holds("number > 1 and text = 'a' or truth", number=2, text="a", truth=False)
    assert not holds("number > 1 and (text = 'a' or truth)", number=2, text="b", truth=False)
    assert not holds("number > 1 and number > 2", number=0)
    assert holds("number > 1 or number > 2", number=3)

    def evaluated(_facts):
        message = "this part need not be evaluated"
        raise AssertionError(message)

    def resolve(path, window):
        return Timeless("truth", evaluated) if path[0] == "never" else operands(path, window)

    facts = SimpleNamespace(truth=True)
    assert compile_condition(parse("truth or never"), resolve).holds(facts)
    assert not compile_condition(parse("not truth and never"), resolve).holds(facts)
    assert compile_condition(parse("truth or never"), resolve).outlook(facts) == (True, FOREVER)


def test_it_is_known_what_a_condition_reads():
    condition = compile_condition(parse("number over 90 min > 1 and not (any.x or text is known and any.x)"), operands)
    assert condition.reads == {(("number",), "90 min"), (("any", "x"), None), (("text",), None)}
    assert condition.holds(SimpleNamespace(**{"number_90 min": 2}))


@pytest.mark.parametrize(
    ("text", "position", "message", "instead"),
    [
        ("truth and nmber > 1", 10, "there is no nmber", "name a kind"),
        ("number", 0, "number is a number, which is no condition by itself", "compare it"),
        ("text over 1 d", 0, "text over 1 d is a text", "compare it"),
        ("number = 'a'", 9, "a number and cannot be compared with a text", "without quotes"),
        ("number in [1, 'a']", 14, "a number and cannot be compared with a text", "without quotes"),
        ("text = 5", 7, "a text and cannot be compared with a number", "in quotes"),
        ("text = 5 d", 7, "a text and cannot be compared with a duration", "in quotes"),
        ("truth = 'yes'", 8, "true or false and cannot be compared with a text", "= true"),
        ("number = true", 9, "a number and cannot be compared with a truth value", "without quotes"),
        ("any = 5 d", 6, "not a span of time", "compare it with a number"),
        ("truth > true", 0, "true or false, which have no order", "= true"),
        ("any >= false", 7, "false is neither more nor less", "= or !="),
        ("any < true", 6, "true is neither more nor less", "= or !="),
        ("number contains 5", 0, "number is a number, which contains nothing", "write ="),
        ("truth contains true", 0, "truth is true or false, which contains nothing", "write ="),
    ],
)
def test_what_can_mean_nothing_is_refused_at_its_place(text, position, message, instead):
    with pytest.raises(ConditionError) as caught:
        compile_condition(parse(text), operands)
    error = caught.value
    assert (error.position, message in error.message, instead in error.instead) == (position, True, True), error


def test_a_span_of_time_is_compared_with_durations_alone():
    [value] = [parse(f"a = {text}").value for text in ("31 d",)]
    assert converted_span(value) == 31 * 86_400_000
    with pytest.raises(MeaningError, match="write a unit, as in 31 d"):
        converted_span(parse("a = 31").value)
    with pytest.raises(MeaningError, match="as in 31 d"):
        converted_span(parse("a = 'x'").value)
    assert str(MeaningError("no advice")) == "no advice"
    assert str(ConditionError("no advice", 3)) == "no advice"


def test_due_times_are_the_first_moment_at_which_the_comparison_turns():
    assert due_in_steps(lambda value: value >= 2, 3, [(10, 2), (20, 1), (30, 0)]) == 20
    assert due_in_steps(lambda value: value >= 2, 1, [(10, 0)]) == FOREVER
    assert due_growing(lambda value: value > 50, [50], 20, 1000) == 1031
    assert due_growing(lambda value: value >= 50, [50], 20, 1000) == 1030
    assert due_growing(lambda value: value in (30, 50), [30, 50], 30, 1000) == 1001
    assert due_growing(lambda value: value > 50, [50], 51, 1000) == FOREVER
