"""Mistakes in rules files: each is reported with file, line, message and advice."""

import shutil
from pathlib import Path

import pytest

from pipeline.rules.load import DEFAULTS, check_rules, load_rules
from pipeline.rules.problem import Problem, RulesError, did_you_mean


def problems_of(folder: Path, name: str, text: str) -> list[Problem]:
    (folder / name).write_text(text, encoding="utf-8")
    rules, problems = check_rules(folder)
    assert (rules is None) == bool(problems)
    return problems


INTAKE = [
    ("future_tolerance: 5", 19, "expected a duration", "write 5 min or 5 h or 5 d"),
    ("future_tolerance: [5]", 19, "expected a duration", "7 d"),
    ("future_tolerance: -1", 19, "expected a duration", "7 d"),
    ("retention: 12 months", 12, "no fixed length", "365 d"),
    ("retention_ms: 5", 1, "unknown name 'retention_ms'", "did you mean retention?"),
    ("dedupe_windw: 3 d", 1, "unknown name", "did you mean dedupe_window?"),
    ("default_country: usa", 18, "'usa' has the wrong form", "it must match"),
    ("max_fields: 0", 13, "0 is out of range", "at least 1"),
    ("max_depth: yes", 12, "expected a whole number, found a text, 'yes'", ""),
    ("max_depth: 3.5", 12, "expected a whole number, found a number, 3.5", "round it"),
    ('max_depth: "3"', 12, "expected a whole number", "write 3 without quotes"),
    ("amount_fields: revenue", 16, "expected a list", "write [revenue]"),
    ("amount_fields: [revenue, 3]", 26, "expected a text, found a whole number, 3", 'write "3" in quotes'),
    ("currency_field: null", 17, "expected a text, found nothing, null", 'write "null" in quotes'),
    ("- a", 1, "expected names with values, found a list", "write name: value"),
    ("dedupe_window: 900 d\nretention: 400 d", 1, "longer than retention", "write 400 d or less"),
    ("future_tolerance: 9 d\nretention: 3 d", 1, "not below retention", "5 min"),
]


@pytest.mark.parametrize(("text", "column", "message", "instead"), INTAKE, ids=[case[0] for case in INTAKE])
def test_a_mistake_in_intake_is_found_at_its_place(
    tmp_path: Path, text: str, column: int, message: str, instead: str
) -> None:
    [problem] = problems_of(tmp_path, "intake.yaml", text)
    assert problem.file == str(tmp_path / "intake.yaml")
    assert (problem.line, problem.column) == (1, column)
    assert message in problem.message
    assert instead in problem.instead


RULES = [
    ("identifiers.yaml", "types: [{name: a}]", "'priority' is missing", "add priority: with a whole number"),
    ("identifiers.yaml", "types: [{name: A, priority: 1}]", "'A' has the wrong form", "match"),
    ("identifiers.yaml", "types: [{name: a, priority: high}]", "expected a whole number, found a text, 'high'", ""),
    ("identifiers.yaml", "types: [{name: a, priority: 1, normalise: emial}]", "unknown normalise", "email"),
    ("identifiers.yaml", "types: [{name: a, priority: 1, policy: latst}]", "unknown value 'latst'", "latest"),
    ("identifiers.yaml", "types: [{name: a, priority: 1, limits: [1 per life]}]", "not a duration", "7 d"),
    ("identifiers.yaml", "types: [{name: a, priority: 1, limits: [2]}]", "expected a limit", "2 ever or 2 per 7 d"),
    ("identifiers.yaml", "types: [{name: a, priority: 1, blocked_patterns: ['(']}]", "not a regular expression", "\\"),
    ("identifiers.yaml", "types: [{name: a, priority: 1, blocked_values: [' ']}]", "blank values", "leave"),
    ("identifiers.yaml", "types: [{name: a, priority: 1, strong: 1}]", "expected true or false", "write true or false"),
    ("identifiers.yaml", "types: [{name: a, priority: 1, firebreak_above: 3}]", "can never act", "strong: true"),
    ("identifiers.yaml", "types: [email]", "expected names with values, found a text, 'email'", "name: value"),
    ("identifiers.yaml", "types: []", "no identifier types", "declare at least one"),
    ("aggregates.yaml", "aggregates: [{name: a, kind: cuont}]", "unknown kind 'cuont'", "did you mean count?"),
    ("aggregates.yaml", "aggregates: [{name: a, kind: sum}]", "field", ""),
    ("aggregates.yaml", "aggregates: [{name: a, kind: max, field: propertes.x}]", "propertes.x", ""),
    ("aggregates.yaml", "aggregates: [{name: a, windows: [100 d]}]", "100d", "90d"),
    ("aggregates.yaml", "aggregates: [{name: a, windows: [weekly]}]", "'weekly' is not a duration", "7 d"),
    ("aggregates.yaml", "aggregates: [{name: a, filter: {channels: [wep]}}]", "'wep'", "did you mean web?"),
    ("aggregates.yaml", "aggregates: [{name: a, filter: {chanels: [web]}}]", "'chanels'", "did you mean channels?"),
    ("aggregates.yaml", "aggregates: [{name: a, filter: {where: [{field: event}]}}]", "no operator", "eq"),
    ("aggregates.yaml", "aggregates: [{name: a, filter: {where: [{field: event, gt: b}]}}]", "expected a number", ""),
    ("aggregates.yaml", "aggregates: [{name: a, kind: sessions}]", "has no lifetime", "windows of up to 90 d"),
    ("aggregates.yaml", "aggregates: [{name: a, kind: sessions, windows: [7 d], gap: 1 min}]", "too short", "5 min"),
    ("aggregates.yaml", "aggregates: [{name: a, gap: 10 min}]", "gap is for sessions", "leave it out"),
    ("aggregates.yaml", "aggregates: [{name: cart, kind: count}]", "cart has another meaning in conditions",
     "choose another name"),
    ("aggregates.yaml", "time_zone: Europe/Berln", "no time zone 'Europe/Berln'", "did you mean Europe/Berlin?"),
    ("aggregates.yaml", "ratios: [{name: r, of: a, to: b}]", "'a', which is not there", "name a count or a sum"),
    ("aggregates.yaml", "agregates: []", "unknown name", "did you mean aggregates?"),
    ("journeys.yaml", "carts: {added: {}, bought: {events: [b]}}", "added would match every event", "give it events"),
    ("journeys.yaml", "carts: {added: {events: [a]}}", "'bought' is missing", "add bought"),
    (
        "journeys.yaml",
        "carts: {added: {events: [a]}, bought: {events: [b]}, abandoned_after: 5 s}",
        "abandoned_after is below a minute",
        "1 min or more",
    ),
    (
        "journeys.yaml",
        "carts: {added: {events: [a]}, bought: {events: [b]}, item: {price: cost}}",
        "'cost' must be one of",
        "properties.",
    ),
    ("journeys.yaml", "attribution: {touches: [camapign]}", "unknown value 'camapign'", "did you mean campaign?"),
    ("journeys.yaml", "attribution: {first_percent: 60, last_percent: 50}", "exceed 100 together", "leave a rest"),
    ("journeys.yaml", "attribution: {last_percent: 101}", "101 is out of range", "at most 100"),
    ("journeys.yaml", "attribution: {cost_currency: EURO}", "'EURO' is unknown", "a code such as EUR"),
    ("journeys.yaml", "attribution: {conversions: [{name: a, filter: {}}]}", "match every event", "give its filter"),
    (
        "journeys.yaml",
        "attribution: {conversions: [{name: a, filter: {events: [b]}, value_minor: 500}]}",
        "currency '' of conversion 'a' is unknown",
        "a code such as EUR",
    ),
    ("journeys.yaml", "surveys: [{filter: {}}]", "the survey would match every event", "give the filter events"),
    ("journeys.yaml", "preferences: [{filter: {}}]", "rule would match every event", "give the filter events"),
    ("journeys.yaml", "surveys: [{filter: {}, answer: answer}]", "'answer' must be one of", "properties."),
    ("scores.yaml", "scores: [{name: a, points: 0}]", "0 points", ""),
    ("scores.yaml", f"scores: [{{name: a, points: {'9' * 23}}}]", "out of range", "at most 1e+06"),
    ("scores.yaml", f"scores: [{{name: a, points: -{'9' * 23}}}]", "out of range", "at least -1e+06"),
    ("scores.yaml", f"fit: [{{name: a, points: {'9' * 23}, where: []}}]", "out of range", "at most 1e+06"),
    ("scores.yaml", f"scores: [{{name: a, points: 1, max_points: {'9' * 23}}}]", "out of range", "at most 1e+06"),
    ("scores.yaml", "scores: [{name: a, points: 1, score: how warm}]", "condition can call", "write how_warm"),
    ("scores.yaml", "fit: [{name: a, points: 1, score: 'a.b', where: []}]", "condition can call", "write a_b"),
    ("segments.yaml", "segments: [{name: big spenders, when: events > 1}]", "condition can call", "big_spenders"),
    ("segments.yaml", 'segments: [{name: "a\\n", when: events > 1}]', "condition can call", "write a:"),
    ("segments.yaml", "segments: [{name: '`', when: events > 1}]", "condition can call", "write a_name"),
    ("scores.yaml", "scores: [{name: a, points: 1.5}]", "expected a whole number, found a number, 1.5", "round it"),
    ("scores.yaml", "scores: [{name: a, points: 1, half_life: 7}]", "expected a duration", "7 h or 7 d"),
    ("scores.yaml", "scores: [{name: a, points: 1, half_life: 5 min}]", "half_life", ""),
    ("scores.yaml", "scores: [{name: a, points: 1, group: nope}]", "nope", ""),
    ("scores.yaml", "grades: {letters: [3, 2]}", "expected 3 values, found 2", ""),
    ("scores.yaml", "grades: {letters: [3, 2, x]}", "expected a number, found a text, 'x'", ""),
    ("scores.yaml", "grades: {digits: 3}", "expected a list, found a whole number, 3", "write [3]"),
    ("scores.yaml", "scores: [{name: a, points: 1}]\ngroups: [{name: g, max_points: 3}]", "no score rule", "group: g"),
    ("triggers.yaml", "triggers: [{name: a, high: 20, low: 50}]", "low", ""),
    ("triggers.yaml", "triggers: [{name: a, high: '20', low: 5}]", "expected a number", "write 20 without quotes"),
    ("triggers.yaml", "triggers: [{name: a, high: 20}]", "'low' is missing", "add low: with a number"),
    ("triggers.yaml", "triggers: [{name: a, high: 20, low: 5, score: engagment}]", "waits for", "mean engagement?"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "message", "instead"), RULES, ids=[case[1] for case in RULES])
def test_a_mistake_in_a_rule_is_reported_with_message_and_advice(
    tmp_path: Path, name: str, text: str, message: str, instead: str
) -> None:
    [problem] = problems_of(tmp_path, name, text)
    assert problem.file == str(tmp_path / name)
    assert problem.line >= 1
    assert message in str(problem)
    assert instead in str(problem)


def test_the_line_is_that_of_the_mistake_and_not_that_of_the_list(tmp_path: Path) -> None:
    text = "triggers:\n  - name: warm\n    high: 20\n    low: 5\n\n  - name: hot\n    high: 20\n    low: 50\n"
    [problem] = problems_of(tmp_path, "triggers.yaml", text)
    assert (problem.line, problem.column) == (8, 5)


def test_the_same_name_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    text = "triggers:\n  - name: hot\n    high: 20\n    low: 5\n  - name: hot\n    high: 30\n    low: 5\n"
    [problem] = problems_of(tmp_path, "triggers.yaml", text)
    assert problem.line == 5
    assert problem.message == "'hot' is there twice, first on line 2"


def test_every_mistake_of_every_file_is_reported_at_once_in_the_order_of_the_walk(tmp_path: Path) -> None:
    (tmp_path / "triggers.yaml").write_text("triggers: [{name: a, high: 1, low: 2}, {name: b, hihg: 1, low: 1}]")
    (tmp_path / "scores.yaml").write_text("scores: [{name: a, points: 0}, {name: b, points: 0}]")
    (tmp_path / "intake.yaml").write_text("max_depth: [\n")
    _, problems = check_rules(tmp_path)
    assert [Path(problem.file).stem for problem in problems] == ["intake", "scores", "scores", *["triggers"] * 3]


def test_rules_with_problems_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "scores.yaml").write_text("scores: [{name: a, points: 0}, {name: b, pionts: 1}]")
    with pytest.raises(RulesError) as refused:
        load_rules(tmp_path)
    assert len(refused.value.problems) == 3
    assert str(tmp_path / "scores.yaml") + ":1:" in str(refused.value)


def test_a_file_that_is_no_rules_file_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, "trigger.yaml", "triggers: []")
    assert problem.message == "not the name of a rules file"
    assert problem.instead == "did you mean triggers.yaml?"
    shutil.move(tmp_path / "trigger.yaml", tmp_path / "triggers.yml")
    _, [problem] = check_rules(tmp_path)
    assert problem.instead == "did you mean triggers.yaml?"


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    _, [problem] = check_rules(tmp_path / "nowhere")
    assert problem.message == "no such directory"


def test_a_directory_without_rules_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# mine")
    rules, [problem] = check_rules(tmp_path)
    assert rules is None
    assert problem.message == "no rules file is in this directory"
    assert f"stitchline rules init {tmp_path}" in problem.instead


def test_files_that_cannot_be_text_are_refused_not_raised(tmp_path: Path) -> None:
    (tmp_path / "intake.yaml").write_bytes(b"max_depth: 3\ndefault_country: \xff\xfe")
    (tmp_path / "scores.yaml").write_bytes(b"# x\n" * 300_000)
    (tmp_path / "triggers.yaml").mkdir()
    _, problems = check_rules(tmp_path)
    assert [(Path(problem.file).stem, problem.line) for problem in problems] == [
        ("intake", 2),
        ("scores", 0),
        ("triggers", 0),
    ]


def test_a_file_that_is_missing_is_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "intake.yaml").write_text("default_country: DE\n")
    rules, shipped = load_rules(tmp_path), load_rules()
    assert rules.intake.default_country == "DE"
    assert rules.scores == shipped.scores
    assert DEFAULTS.is_dir()


def test_advice_names_the_nearest_or_the_choice() -> None:
    assert did_you_mean("emial", ["email", "phone"]) == "did you mean email?"
    assert did_you_mean("EMAIL", ["email", "phone"]) == "did you mean email?"
    assert did_you_mean("qq", ["b", "a", "c"]) == "write a, b or c"
    assert did_you_mean("qq", ["a"]) == "write a"
    assert did_you_mean("qq", []) == "there is none to name yet"
