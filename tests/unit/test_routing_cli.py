"""``stitchline routing dry-run``: the explained decision about a made-up lead."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app

ROUTING = """
reps:
  - {name: ann, weight: 3, absent: [{from: 2026-12-24, to: 2026-12-27}]}
  - {name: bob}
  - {name: cyn}
teams:
  - {name: north, reps: [ann, bob]}
  - {name: inside, reps: [cyn]}
routes:
  - {name: autumn, when: 'campaign = "autumn" and channel = "ads" and trigger = "hot_lead"', rep: cyn}
  - {name: baskets, when: 'segment.abandoned_cart and grade contains "A"', rep: ann}
  - {name: dach, when: 'traits.country = "DE" and score >= 80', team: north}
  - {name: reachable, when: identifier.phone is known or contact.company = "Acme", team: north}
catch_all: inside
"""
GERMAN = '{"country": "DE"}'


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "routing.yaml").write_text(ROUTING, encoding="utf-8")
    return tmp_path


def tried(*arguments: str | Path, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["routing", "dry-run", *map(str, arguments)], env={"COLUMNS": "200"})
    assert done.exit_code == code, done.output
    return done


def told(rules: Path, *arguments: str) -> Any:
    return json.loads(tried("--rules", rules, "--json", *arguments).stdout)


def test_the_owner_and_the_reason_are_printed(rules: Path) -> None:
    assert tried("--rules", rules, "--traits", GERMAN).stdout.splitlines() == [
        "owner: ann",
        "why:   route dach: round robin in team north (3 of 4 shares)",
    ]


def test_in_json_also_what_decided(rules: Path) -> None:
    assert told(rules, "--traits", GERMAN, "--at", "2026-12-25") == {
        "owner": "bob",
        "owner_reason": "route dach: round robin in team north (1 of 1 shares); ann is absent until 2026-12-27",
        "decided_by": "route",
        "route": "dach",
        "shares": {"bob": 1},
    }


def test_many_leads_show_how_they_are_shared(rules: Path) -> None:
    assert told(rules, "--traits", GERMAN, "--count", "100")["shares"] == {"ann": 75, "bob": 25}
    lines = tried("--rules", rules, "--traits", GERMAN, "-n", "1200").stdout.splitlines()
    assert [line.split() for line in lines[2:]] == [["of", "all", "leads"], ["ann", "900"], ["bob", "300"]]
    one = told(rules, "--traits", GERMAN, "--identifier", "user_id:7", "-n", "9")
    assert (one["shares"], one["decided_by"]) == ({"ann": 9}, "existing_owner")


@pytest.mark.parametrize(
    ("arguments", "route"),
    [
        (("--traits", GERMAN, "--score", "79"), ""),
        (("--campaign", "autumn", "--channel", "ads"), "autumn"),
        (("--campaign", "autumn", "--channel", "ads", "--trigger", "other"), ""),
        (("--segment", "abandoned_cart", "--segment", "dormant", "--grade", "A3"), "baskets"),
        (("--segment", "dormant", "--grade", "A3"), ""),
        (("--segment", "abandoned_cart", "--grade", "B1"), ""),
        (("--identifier", "phone:+4930123"), "reachable"),
        (("--contact", '{"company": "Acme"}'), "reachable"),
    ],
)
def test_conditions_see_what_is_given(rules: Path, arguments: tuple[str, ...], route: str) -> None:
    assert told(rules, *arguments)["route"] == route


def test_under_the_shipped_rules_leads_have_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STITCHLINE_RULES_DIR", raising=False)
    assert tried("--score", "90").stdout == "owner: none\nwhy:   no representatives are declared\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--traits", "DE"), "write a JSON object"),
        (("--contact", '{"phone": 7}'), "write a JSON object"),
        (("--at", "soon"), "'soon' is no moment"),
        (("--at", "latest"), "nothing is stored here to be the latest"),
        (("--segment", "dorment"), "there is no segment dorment; did you mean dormant?"),
        (("--grade", "E1"), "write a letter from A to D and a digit from 1 to 4"),
        (("--count", "0"), "--count"),
    ],
)
def test_a_wrong_command_line_is_refused_with_the_correction(
    rules: Path, arguments: tuple[str, ...], says: str
) -> None:
    assert says in " ".join(tried("--rules", rules, *arguments, code=2).stderr.split())


def test_rules_that_cannot_be_used_are_refused(rules: Path) -> None:
    (rules / "routing.yaml").write_text(ROUTING.replace("catch_all: inside", "catch_all: inisde"), encoding="utf-8")
    assert "did you mean inside?" in tried("--rules", rules, code=1).stderr


def test_the_help_shows_examples_and_exit_codes() -> None:
    shown = tried("--help").stdout
    assert "Examples" in shown
    assert "Exit codes" in shown
