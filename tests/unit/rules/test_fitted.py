"""``model.json`` in a rules directory: loading, and rejected models."""

from pathlib import Path

import msgspec
import pytest

from pipeline.rules.compiled import compiled
from pipeline.rules.load import check_rules, load_rules
from pipeline.rules.model_file import save_model
from tests.unit.model.test_file import MODEL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(tmp_path / "model.json", MODEL)
    return tmp_path


def test_a_model_in_the_directory_is_in_force_with_its_rules(folder: Path) -> None:
    rules = load_rules(folder)
    assert rules.model == MODEL
    assert compiled(rules).forecast.read([], 0) == {}
    assert load_rules().model is None


def test_a_model_that_was_changed_by_hand_is_refused_with_its_file(folder: Path) -> None:
    path = folder / "model.json"
    path.write_bytes(path.read_bytes().replace(b'"horizon_days": ', b'"horizon_days": 1'))
    rules, (problem,) = check_rules(folder)
    assert rules is None
    assert problem.file == str(path)
    assert "changed after it was fitted" in problem.message


def test_a_model_that_the_rules_do_not_feed_is_refused(folder: Path) -> None:
    (folder / "aggregates.yaml").write_text("aggregates: [{name: events}]\n", encoding="utf-8")
    rules, problems = check_rules(folder)
    assert rules is None
    (shown,) = [str(problem) for problem in problems if problem.file.endswith("model.json")]
    assert f"the model reads the aggregate {MODEL.aggregate!r}, which is not one of kind purchases here" in shown
    assert shown.endswith("add it to aggregates.yaml, or fit a model for these rules")


def test_a_file_that_is_not_a_model_is_reported(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(msgspec.json.encode({"format": 1}))
    _, (problem,) = check_rules(tmp_path)
    assert "not a model of" in problem.message
