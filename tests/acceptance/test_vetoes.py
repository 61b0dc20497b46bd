"""An attribute that must agree keeps customers apart whom a weaker key would merge, and never merges anyone."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.rules.load import DEFAULTS, load_rules
from pipeline.testing.build import event_json
from tests.support.customers import customers, resolved
from tests.support.simulated import Story, decision

PHONE = "+491701234567"
BORN = {"name": "year_of_birth", "priority": 45, "must_agree": True}
"""Weaker than an e-mail address, stronger than a telephone number."""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The shipped rules, with a year of birth in which customers must agree."""
    folder = tmp_path / "rules"
    folder.mkdir()
    shipped = yaml.safe_load((DEFAULTS / "identifiers.yaml").read_text(encoding="utf-8"))
    shipped["types"].append(BORN)
    (folder / "identifiers.yaml").write_text(yaml.safe_dump(shipped), encoding="utf-8")
    return folder


def person(number: int, name: str, born: int | None, **traits: Any) -> dict[str, Any]:
    stated = {"email": f"{name}@shop.example", "phone": PHONE, **({"year_of_birth": born} if born else {}), **traits}
    return event_json(number, "", type="identify", identifiers={}, traits=stated)


def both(rules: Path, folder: Path, events: list[dict[str, Any]]) -> list[list[str]]:
    """The customers by the stages, fed one by one, which are those of ``identity resolve``."""
    result = customers(Story(load_rules(rules)).one_by_one(events))
    assert resolved(folder, events, "--rules", rules) == result
    return result


ANN, BOB = "email:ann@shop.example", "email:bob@shop.example"


def test_a_shared_telephone_merges_two_people_of_one_year_and_not_of_two(rules: Path, tmp_path: Path) -> None:
    alike = [person(1, "ann", 1980), person(2, "bob", 1980)]
    assert both(rules, tmp_path, alike) == [[ANN, BOB, f"phone:{PHONE}"]]
    different = [person(1, "ann", 1980), person(2, "bob", 1985)]
    assert both(rules, tmp_path, different) == [[ANN], [BOB, f"phone:{PHONE}"]]
    assert both(rules, tmp_path, different[::-1]) == [[ANN], [BOB, f"phone:{PHONE}"]]


def test_a_person_without_the_attribute_is_merged_by_the_weaker_key(rules: Path, tmp_path: Path) -> None:
    assert both(rules, tmp_path, [person(1, "ann", 1980), person(2, "bob", None)]) == [[ANN, BOB, f"phone:{PHONE}"]]


def test_the_attribute_alone_merges_nobody_and_is_no_identifier(rules: Path, tmp_path: Path) -> None:
    events = [event_json(n, userId=f"u{n}", identifiers={"year_of_birth": 1980}) for n in range(3)]
    assert both(rules, tmp_path, events) == [[f"user_id:u{n}"] for n in range(3)]


def test_a_stronger_key_merges_in_spite_of_the_attribute(rules: Path, tmp_path: Path) -> None:
    events = [
        event_json(n, "", type="identify", userId="ann", traits={"email": "ann@shop.example", "year_of_birth": born})
        for n, born in enumerate((1980, 1981))
    ]
    assert both(rules, tmp_path, events) == [[ANN, "user_id:ann"]]


def test_a_veto_that_comes_late_splits_and_an_unlinked_one_merges_again(rules: Path) -> None:
    story = Story(load_rules(rules)).one_by_one([person(1, "ann", 1980), person(2, "bob", None)])
    together, before = customers(story), story.exported()
    late = event_json(3, "", type="identify", traits={"email": "bob@shop.example", "year_of_birth": 1985})
    story.tell(late)
    assert customers(story) == [[ANN], [BOB, f"phone:{PHONE}"]]
    story.tell(decision("unlink", BOB, "year_of_birth:1985"))
    assert customers(story) == together
    assert len(story.exported()) > len(before), "the late event stays"


def test_an_event_with_nothing_but_the_attribute_is_rejected(rules: Path, tmp_path: Path) -> None:
    path = tmp_path / "alone.ndjson"
    path.write_bytes(msgspec.json.encode(event_json(1, identifiers={"year_of_birth": 1980})))
    done = CliRunner().invoke(app, ["identity", "resolve", str(path), "--rules", str(rules)])
    assert (done.exit_code, "no_identifier" in done.output) == (3, True)


def test_rules_check_and_show_know_the_attribute(rules: Path) -> None:
    assert CliRunner().invoke(app, ["rules", "check", str(rules)]).exit_code == 0
    assert "must_agree: true" in CliRunner().invoke(app, ["rules", "show", str(rules)]).output


@pytest.mark.parametrize("option", ["strong: true", "limits: [1 ever]", "household: true"])
def test_rules_check_refuses_an_attribute_that_links(tmp_path: Path, option: str) -> None:
    text = f"types:\n  - {{name: user_id, priority: 1}}\n  - {{name: born, priority: 2, must_agree: true, {option}}}\n"
    (tmp_path / "identifiers.yaml").write_text(text, encoding="utf-8")
    done = CliRunner().invoke(app, ["rules", "check", str(tmp_path)])
    assert done.exit_code == 1
    assert "identifiers.yaml:3:" in done.output
    assert "leave it out" in done.output
