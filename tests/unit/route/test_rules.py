"""``routing.yaml``: invalid rules are rejected with position, message and advice."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.route.check import objections
from pipeline.route.rules import Absence, Rep, Route, RoutingRules, Team
from pipeline.rules.files import FILES
from pipeline.rules.load import check_rules, load_rules
from pipeline.rules.render import file_data, yaml_text

GOOD = """
reps:
  - {name: ann, weight: 3, capacity: 20 per 1 day, absent: [{from: 2026-12-24, to: 2026-12-27}]}
  - {name: bob}
teams:
  - {name: north, reps: [ann, bob]}
routes:
  - {name: dach, when: 'traits.country in ["DE", "AT"]', team: north}
  - {name: key, when: traits.employees >= 500, rep: bob}
catch_all: north
"""


def found(folder: Path, text: str) -> list[str]:
    (folder / "routing.yaml").write_text(text, encoding="utf-8")
    _, problems = check_rules(folder)
    return [str(problem).partition("routing.yaml:")[2] for problem in problems]


def test_the_shipped_rules_declare_no_representatives() -> None:
    assert load_rules().routing == RoutingRules()


def test_good_rules_are_read_as_they_are_meant_and_shown_as_they_are_written(tmp_path: Path) -> None:
    assert found(tmp_path, GOOD) == []
    rules = load_rules(tmp_path)
    ann = rules.routing.reps[0]
    assert (ann.weight, ann.capacity) == (3, "20 per 1 d")
    assert ann.absent == (Absence(first="2026-12-24", last="2026-12-27"),)
    (spec,) = [spec for spec in FILES if spec.topic == "routing"]
    shown = yaml_text(file_data(rules, spec))
    assert "from: '2026-12-24'" in shown
    assert found(tmp_path, shown) == []
    assert load_rules(tmp_path).routing == rules.routing


WRONG = [
    ("[ann, bob]", "[ann, bbo]", "6:31: team 'north' names rep 'bbo', which is not declared; did you mean bob?"),
    ("[ann, bob]", "[]", "6:19: team 'north' has no members; write ann or bob"),
    ("[ann, bob]", "[ann, ann]", "6:31: team 'north' names 'ann' twice; give them a weight of 2 instead"),
    (", team: north", ", team: nort", "8:58: route 'dach' leads to team 'nort', which is not declared; did you mean"),
    (", rep: bob", ", rep: bbo", "9:48: route 'key' leads to rep 'bbo', which is not declared; did you mean bob?"),
    (", rep: bob", "", "9:5: route 'key' has no team and no rep; give it one of them"),
    (", rep: bob", ", rep: bob, team: north", "9:58: route 'key' has both a team and a rep; give it one of them"),
    ("catch_all: north", "catch_all: sout", "10:1: catch_all is team 'sout', which is not declared; write north"),
    ("catch_all: north", "", "2:1: there is no catch_all: leads that no route takes would have no owner; add "),
    ("traits.employees >= 500", "employees >= 500", "9:23: a lead has no 'employees'; write "),
    ("traits.employees >= 500", "scor >= 500", "a lead has no 'scor'; did you mean score?"),
    ("traits.employees >= 500", "traits.employees => 500", "9:40: => is no sign"),
    ("weight: 3", "weight: 0", "0 is out of range; write a number of at least 1"),
    ("20 per 1 day", "20 per day", "'day' is not a duration"),
    ("20 per 1 day", "20", "expected a limit"),
    ("20 per 1 day", "2000 per 1 d", "capacity '2000 per 1 d' is above 1000 leads; write a shorter time"),
    ("to: 2026-12-27", "to: 2026-12-23", "an absence that ends before it begins; write to: 2026-12-24 or later"),
    ("from: 2026-12-24", "from: 24.12.2026", "from is '24.12.2026', not a day; write it as 2026-12-24"),
    ("to: 2026-12-27", "to: 2026-12-27T10:00", "to is '2026-12-27T10:00', not a day"),
    ("to: 2026-12-27", "to: 2026-02-30", "to is '2026-02-30', not a day"),
    (", to: 2026-12-27", "", "'to' is missing; add to: with a text"),
    ("from: 2026-12-24", "form: 2026-12-24", "unknown name 'form'; did you mean from?"),
    ("{name: bob}", "{name: ann}", "'ann' is there twice"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "wrong", "message"), WRONG, ids=[case[1] or f"no {case[0]}" for case in WRONG])
def test_a_mistake_is_found_at_its_place(tmp_path: Path, good: str, wrong: str, message: str) -> None:
    assert good in GOOD
    shown = found(tmp_path, GOOD.replace(good, wrong))
    assert any(message in problem for problem in shown), shown


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"reps": (Rep(name="ann"), Rep(name="ann"))}, "rep 'ann' is there twice"),
        ({"teams": (Team(name="", reps=("ann",)),)}, "a team has no name"),
        ({"routes": (Route(name="a", when="score > 1", rep="ann"),) * 2}, "route 'a' is there twice"),
    ],
)
def test_names_are_unique(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RoutingRules(**given)


def test_every_objection_is_made_at_once() -> None:
    rules = RoutingRules(
        reps=(Rep(name="ann"),),
        teams=(Team(name="north", reps=()), Team(name="south", reps=("zoe",))),
        routes=(Route(name="a", when="score >", team="west"), Route(name="b", when="score > 1", rep="zoe")),
    )
    paths = [objection.path for objection in objections(rules)]
    assert paths == [
        ("teams", 0, "reps"), ("teams", 1, "reps", 0), ("routes", 0, "when"), ("routes", 0, "team"),
        ("routes", 1, "rep"), (),
    ]  # fmt: skip
