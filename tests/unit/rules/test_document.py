"""The YAML reader: the values and lines it returns, and the YAML features it rejects."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.rules.document import Node, read_document
from pipeline.rules.problem import Problem


def plain(node: Node) -> object:
    if isinstance(node.value, dict):
        return {key: plain(entry.node) for key, entry in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def read(text: str) -> tuple[object, list[Problem]]:
    problems: list[Problem] = []
    node = read_document("f.yaml", text, problems)
    return (None if node is None else plain(node)), problems


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("3", 3), ("-3", -3), ("3.5", 3.5), ("1_000", 1000), ("1_", 1), ("9" * 5000, "9" * 5000),
        ("true", True), ("False", False), ("null", None),
        ("~", None), ("", None), ("text", "text"), ('"3"', "3"), ("'true'", "true"),
        ("no", "no"), ("yes", "yes"), ("off", "off"), ("22:00", "22:00"), ("010", "010"), ("0x1f", "0x1f"),
        ("2026-01-02", "2026-01-02"), (".inf", ".inf"), (".nan", ".nan"), ("+49", 49),
    ],
)  # fmt: skip
def test_values_are_what_their_author_typed(written: str, value: object) -> None:
    assert read(f"key: {written}") == ({"key": value}, [])


def test_everything_knows_its_line_and_column() -> None:
    node = read_document("f.yaml", "a:\n  - b: 1\n    c: [x, y]\n", [])
    assert node is not None
    assert isinstance(node.value, dict)
    entry = node.value["a"]
    assert (entry.line, entry.column) == (1, 1)
    assert isinstance(entry.node.value, list)
    item = entry.node.value[0]
    assert isinstance(item.value, dict)
    assert (item.value["c"].line, item.value["c"].column) == (3, 5)
    assert isinstance(item.value["c"].node.value, list)
    assert (item.value["c"].node.value[1].line, item.value["c"].node.value[1].column) == (3, 12)


def test_an_empty_file_is_an_empty_mapping() -> None:
    assert read("") == ({}, [])
    assert read("# only a comment\n") == ({}, [])


def test_a_key_that_is_given_twice_is_refused_with_both_lines() -> None:
    _, problems = read("a: 1\nb: 2\na: 3\n")
    assert problems == [Problem("f.yaml", 3, 1, "'a' is given twice, first on line 1", "keep one of them")]


def test_a_list_can_be_named_once_and_used_again() -> None:
    assert read("a: &none [x, y]\nb: *none\n") == ({"a": ["x", "y"], "b": ["x", "y"]}, [])


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: !!python/object:os.system x", 1, "tag"),
        ("a: 1\n<<: {b: 2}", 2, "a key must be a name"),
        ("? [a, b]\n: 1", 1, "a key must be a name"),
        ("a:\n\t- b", 2, "not YAML"),
        ("a: b: c", 1, "not YAML"),
        ("a: [1", 1, "not YAML"),
        ("a: 'x", 1, "not YAML"),
        ("a: *missing", 1, "not YAML"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_at_its_line(text: str, line: int, part: str) -> None:
    result, [problem] = read(text)
    assert result is None
    assert part in problem.message
    assert problem.line in {line, line + 1}
    assert problem.instead


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x]\n" + "".join(f"{new}: &{new} [{f'*{old}, ' * 9}]\n" for old, new in pairwise("abcdefgh")),
        "a: &a [*a]",
        "[" * 5000,
    ],
    ids=["a billion values in ten lines", "a list that holds itself", "five thousand brackets"],
)
def test_hostile_files_are_refused_quickly(text: str) -> None:
    result, problems = read(text)
    assert result is None
    assert len(problems) == 1


@settings(max_examples=300)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}\"'&*!|>#%@,?~ \n\t01._"), max_size=40))
def test_any_text_is_read_or_refused_but_never_raises(text: str) -> None:
    problems: list[Problem] = []
    assert read_document("f.yaml", text, problems) is not None or problems
