"""Conditions in rules files: a mistake is reported at its line and column, in every YAML notation of texts."""

from pathlib import Path

import jsonschema
import pytest

from pipeline.rules.document import read_document
from pipeline.rules.files import FILES
from pipeline.rules.inside import place_inside
from pipeline.rules.load import check_rules
from pipeline.rules.problem import Problem
from pipeline.rules.schema import file_schema


def problems_of(folder: Path, text: str) -> list[Problem]:
    (folder / "segments.yaml").write_text(text, encoding="utf-8")
    return check_rules(folder)[1]


WRITTEN = [
    "when: orders >= 3 and MARK == 1",
    'when: "orders >= 3 and MARK == 1"',
    "when: 'orders >= 3 and MARK == 1'",
    "when: 'traits.plan = ''it'' and MARK == 1'",
    'when: "traits.plan = \\"gold\\" and MARK == 1"',
    'when: "traits.plan = \\"a\\\\\\\\b\\tc \\u0041\\" and\\n MARK == 1"',
    "when: orders >= 3\n      and MARK == 1",
    "when: >\n      orders >= 3\n\n      and MARK == 1",
    'when: |\n      orders >= 3 and\n        traits.plan = "a b" and MARK == 1\n',
    "when: >-  # a comment\n      orders >= 3 and\n      MARK == 1",
    'when: "orders >= 3 and\n      MARK == 1"',
    'when: "orders >= 3 \\\n      and MARK == 1"',
    "when: 'orders >= 3\n\n      and MARK == 1'",
    "when: &shared orders >= 3 and MARK == 1",
    "when: !!str 'orders >= 3 and MARK == 1'",
]  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
def test_a_mistake_in_a_condition_is_shown_at_its_line_and_column(tmp_path: Path, written: str) -> None:
    text = f"segments:\n  - name: a\n    {written}\n".replace("MARK", "orders")
    [problem] = problems_of(tmp_path, text)
    assert "==" in problem.message
    assert problem.instead == "write = for equality"
    line = text.splitlines()[problem.line - 1]
    assert line[problem.column - 1 :].startswith("== 1")


@pytest.mark.parametrize("written", WRITTEN)
def test_a_name_that_is_not_there_is_shown_at_its_line_and_column(tmp_path: Path, written: str) -> None:
    text = f"segments:\n  - name: a\n    {written}\n".replace("==", "=")
    [problem] = problems_of(tmp_path, text)
    assert problem.message == "there is no MARK"
    line = text.splitlines()[problem.line - 1]
    assert line[problem.column - 1 :].startswith("MARK = 1")


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("orders >=", 20, "a value is missing"), ('"orders >= "', 21, "a value is missing"), ('""', 11, "is empty"),
        ("'  '", 11, "is empty"), ("3", 11, "expected a text"), ("[a]", 11, "expected a text"),
        ("(orders", 11, "( is not closed"),
    ],
)  # fmt: skip
def test_what_is_missing_is_shown_where_the_text_ends(tmp_path: Path, text: str, column: int, message: str) -> None:
    [problem] = problems_of(tmp_path, f"segments:\n  - name: a\n    when: {text}\n")
    assert message in problem.message
    assert (problem.line, problem.column) == (3, column)


def test_a_circle_is_shown_at_the_segment_that_begins_it(tmp_path: Path) -> None:
    text = "segments:\n  - {name: a, when: segment.b}\n  - {name: b, when: not segment.a}\n"
    [problem] = problems_of(tmp_path, text)
    assert "in a circle: a -> b -> a" in problem.message
    assert (problem.line, problem.column) == (2, 21)


def test_the_characters_of_a_text_are_found_without_a_source_of_their_own() -> None:
    root = read_document("f.yaml", "a: ''", [])
    assert root is not None
    assert isinstance(root.value, dict)
    assert place_inside(root.value["a"].node, 0) == (1, 4)


ROUTING = """reps: [{name: ann}]
teams: [{name: all, reps: [ann]}]
routes:
  - name: known
    when: segment.engaged and segment.dorment
    rep: ann
catch_all: all
"""


def test_a_route_on_an_undeclared_segment_is_reported_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "routing.yaml").write_text(ROUTING)
    [problem] = check_rules(tmp_path)[1]
    assert (problem.message, problem.instead) == ("there is no segment dorment", "did you mean dormant?")
    assert ROUTING.splitlines()[problem.line - 1][problem.column - 1 :] == "segment.dorment"
    (tmp_path / "segments.yaml").write_text("segments: [{name: a, when: }]")
    assert [Path(check_rule.file).name for check_rule in check_rules(tmp_path)[1]] == ["segments.yaml"]


def test_a_shop_without_carts_has_no_segment_of_them(tmp_path: Path) -> None:
    (tmp_path / "journeys.yaml").write_text("surveys: []")
    rules, problems = check_rules(tmp_path)
    assert rules is not None, problems
    assert "abandoned_cart" not in {rule.name for rule in rules.segments.segments}


def test_a_shop_with_rules_of_its_own_keeps_the_shipped_segments_that_mean_something(tmp_path: Path) -> None:
    text = "aggregates:\n  - {name: orders, windows: [24 h, 7 d, 90 d]}\n  - {name: checkouts, windows: [24 h]}\n"
    (tmp_path / "aggregates.yaml").write_text(text)
    rules, problems = check_rules(tmp_path)
    assert not problems
    assert rules is not None
    kept = {rule.name for rule in rules.segments.segments}
    assert kept == {
        "regulars", "undecided", "abandoned_cart", "dormant", "engaged", "email_only", "no_marketing",
    }  # fmt: skip


def test_a_segment_that_names_one_that_was_left_out_is_left_out_too(tmp_path: Path) -> None:
    (tmp_path / "scores.yaml").write_text("scores: [{name: a, points: 1, score: other}]")
    (tmp_path / "triggers.yaml").write_text("triggers: []")
    rules, problems = check_rules(tmp_path)
    assert (problems, rules is not None) == ([], True)
    assert rules is not None
    assert "engaged" not in {rule.name for rule in rules.segments.segments}


def test_conditions_of_files_are_left_alone_while_what_they_name_has_problems(tmp_path: Path) -> None:
    (tmp_path / "scores.yaml").write_text("scores: [{name: a, points: 0}]")
    assert [problem.file[-11:] for problem in problems_of(tmp_path, "segments: [{name: a, when: nothing}]")] == [
        "scores.yaml"
    ]


def test_the_schema_shows_editors_examples_of_conditions() -> None:
    [spec] = [spec for spec in FILES if spec.topic == "segments"]
    schema = file_schema(spec)
    when = schema["$defs"]["SegmentRule"]["properties"]["when"]
    assert when["minLength"] == 1
    assert any("over 30 d" in example for example in when["examples"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"segments": [{"name": "a", "when": ""}]}, schema)


@pytest.mark.parametrize("condition", ["= 'shoes'", "!= 'shoes'", "in ['shoes']", "> 'a'"])
def test_a_list_that_is_compared_with_one_value_is_refused(tmp_path: Path, condition: str) -> None:
    text = f'segments:\n  - {{name: a, when: "top_categories over 90 d {condition}"}}\n'
    [problem] = problems_of(tmp_path, text)
    assert "is a list, which equals no value" in problem.message
    assert problem.instead == "write contains, as in contains 'x'"
    assert problem.line == 2
