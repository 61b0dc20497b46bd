"""The rules version: one for rules that mean the same, another for every change of meaning."""

import re
from pathlib import Path

import pytest

from pipeline.profile.publish import update_of
from pipeline.profile.row import ProfileRow
from pipeline.query.published_rules import NewestRules
from pipeline.rules.compiled import compiled
from pipeline.rules.files import FILES
from pipeline.rules.load import DEFAULTS, load_rules, stand_ins
from pipeline.rules.render import file_data, yaml_text
from pipeline.rules.version import rules_version


def test_rules_that_mean_the_same_have_one_version(tmp_path: Path) -> None:
    shipped = load_rules()
    for spec in FILES:
        (tmp_path / spec.name).write_text("# mine\n" + yaml_text(file_data(shipped, spec)), encoding="utf-8")
    assert re.fullmatch("[0-9a-f]{12}", rules_version(shipped))
    assert rules_version(load_rules(tmp_path)) == rules_version(shipped)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("intake.yaml", "max_depth: 3"),
        ("scores.yaml", "scores: [{name: a, points: 1}]"),
        ("segments.yaml", "segments: [{name: a, when: events > 1}]"),
        ("routing.yaml", "existing_owner: false"),
    ],
)
def test_a_change_of_meaning_is_another_version(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert rules_version(load_rules(tmp_path)) != rules_version(load_rules())


def test_the_crm_s_connections_are_not_part_of_the_version(tmp_path: Path) -> None:
    (tmp_path / "crm.yaml").write_text("connections: [{name: a, kind: hubspot, secret: env:A}]", encoding="utf-8")
    rules = load_rules(tmp_path)
    assert [connection.name for connection in rules.crm.connections] == ["a"]
    assert rules_version(rules) == rules_version(load_rules())


def test_files_that_a_directory_does_not_have_are_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "scores.yaml").write_text("scores: []", encoding="utf-8")
    names = [spec.name for spec in FILES]
    assert stand_ins(None) == names
    assert stand_ins(DEFAULTS) == []
    assert stand_ins(tmp_path) == [name for name in names if name != "scores.yaml"]


def test_every_profile_update_carries_the_version() -> None:
    rules = load_rules()
    update = update_of("p", ProfileRow(tenant="t"), compiled(rules), 0)
    assert update.rules_version == rules_version(rules)


def test_the_newest_update_with_a_version_gives_the_rules_of_the_workers() -> None:
    newest = NewestRules()
    assert newest.version == ""
    for as_of_ms, version in ((5, "b"), (3, "a"), (9, "")):
        newest.feed({"as_of_ms": as_of_ms, "rules_version": version})
    assert newest.version == "b"
