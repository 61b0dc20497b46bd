"""The note of commands that read by other rules than the workers."""

import pytest
from typer.testing import CliRunner

from pipeline.cli import profile, rules_in_force
from pipeline.profile.row import ProfileRow
from pipeline.rules.load import load_rules
from pipeline.rules.version import rules_version
from pipeline.settings import Settings

RULES = load_rules()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """``profile show`` of a stored profile that was last decided under other rules."""
    monkeypatch.setattr(profile, "connected", lambda settings: settings)
    monkeypatch.setattr(profile, "customer", lambda *_: ("p", ProfileRow(tenant="default")))
    monkeypatch.setattr(profile, "decided_by_others", lambda *_: True)
    return monkeypatch


def notes(published: str, patch: pytest.MonkeyPatch) -> list[str]:
    patch.setattr(rules_in_force, "published_rules_version", lambda _: published)
    done = CliRunner().invoke(profile.app, ["show", "user_id:1", "--json"])
    assert done.exit_code == 0, done.output
    return [line for line in done.stderr.splitlines() if "note: " in line]


def test_a_profile_decided_by_other_rules_has_one_note_with_both_versions(shown: pytest.MonkeyPatch) -> None:
    (note,) = notes("0123456789abcdef", shown)
    assert "0123456789abcdef" in note
    assert rules_version(RULES) in note


def test_a_profile_not_decided_since_the_rules_changed_has_one_note(shown: pytest.MonkeyPatch) -> None:
    (note,) = notes(rules_version(RULES), shown)
    assert "the last decisions were made by other rules" in note


@pytest.mark.parametrize("published", ["", rules_version(RULES)])
def test_equal_or_unknown_rules_are_not_noted(published: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_in_force, "published_rules_version", lambda _: published)
    assert not rules_in_force.note_other_rules(Settings(), RULES)
