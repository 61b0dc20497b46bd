"""Exact figures, spec names and undeclared types: what ``simulate`` and ``rules check`` make of rules of one's own."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.rules.load import DEFAULTS
from pipeline.testing.build import event_json
from tests.support.as_sent import Outcome, simulate, simulate_files


def counted(folder: Path, rule: str, events: list[dict[str, Any]]) -> Any:
    """The lifetime of one aggregate of the only profile."""
    rules = folder / "rules"
    rules.mkdir()
    (rules / "aggregates.yaml").write_text(f"aggregates:\n  - {{name: figure, {rule}}}\n", encoding="utf-8")
    for name in ("scores", "segments", "triggers"):
        (rules / f"{name}.yaml").write_text(f"{name}: []\n", encoding="utf-8")
    outcome: Outcome = simulate(folder, events, "--rules", rules)
    assert outcome.exit_code == 0, outcome.output
    return outcome.number("figure")


@pytest.mark.parametrize("stores", [2, 256])
def test_distinct_values_are_counted_exactly(tmp_path: Path, stores: int) -> None:
    events = [event_json(n, userId="u", properties={"store": f"s{n % stores}"}) for n in range(2 * stores)]
    assert counted(tmp_path, "kind: distinct, field: properties.store", events) == stores


def test_a_quantile_takes_the_nearest_rank(tmp_path: Path) -> None:
    events = [event_json(n, userId="u", properties={"ms": ms}) for n, ms in enumerate((10, 20))]
    figure = counted(tmp_path, "kind: quantiles, field: properties.ms", events)
    assert figure["p99"] == pytest.approx(20, rel=0.01)
    assert figure["p50"] == pytest.approx(10, rel=0.01)


@pytest.mark.parametrize("sent", ["Video Playback Started", "video_playback_started", "videoPlaybackStarted"])
def test_a_name_of_the_video_spec_is_matched_in_any_spelling(tmp_path: Path, sent: str) -> None:
    rule = "kind: count, filter: {events: [video_playback_started]}"
    assert counted(tmp_path, rule, [event_json(1, sent, userId="u")]) == 1


@pytest.mark.parametrize("alone", [False, True])
def test_an_identifier_of_an_undeclared_type_identifies_nobody(tmp_path: Path, alone: bool) -> None:
    sent = event_json(1, identifiers={"shoe_size": "44"}, **({} if alone else {"userId": "u"}))
    outcome = simulate(tmp_path, [sent])
    reasons = [reject["reason"] for reject in outcome.rejects + outcome.quarantined]
    assert reasons == (["no_identifier"] if alone else [])
    shown = [ident for profile in outcome.profiles for ident in profile["identifiers"]]
    assert shown == ([] if alone else ["user_id:u"])


def test_one_value_compared_with_a_list_is_found_before_the_run(tmp_path: Path) -> None:
    text = 'segments:\n  - {name: s, when: "traits.country = [\\"DE\\"]"}\n'
    (tmp_path / "segments.yaml").write_text(text, encoding="utf-8")
    done = CliRunner().invoke(app, ["rules", "check", str(tmp_path)])
    assert done.exit_code == 1
    assert "segments.yaml:2:" in done.output
    assert "write in for a list" in done.output


def test_columns_that_identify_together_make_one_customer(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    declared = yaml.safe_load((DEFAULTS / "identifiers.yaml").read_text(encoding="utf-8"))
    declared["types"].append({"name": "name_and_birth", "priority": 35, "strong": True})
    (rules / "identifiers.yaml").write_text(yaml.safe_dump(declared), encoding="utf-8")
    mapping = "timestamp: {column: at}\nidentifiers: {name_and_birth: [name, born], email: mail}\n"
    (tmp_path / "visits.yaml").write_text(mapping + "constants: {channel: pos, type: track, event: visited}\n")
    rows = ["Ann Smith,1980-05-01,a@shop.example", "ANN  SMITH,1980-05-01,b@shop.example", "Ann Smith,1990-01-01,"]
    lines = [f"2026-03-01T12:0{n}:00Z,{row}" for n, row in enumerate(rows)]
    (tmp_path / "visits.csv").write_text("\n".join(["at,name,born,mail", *lines, ""]))
    files = ["--mapping", tmp_path / "visits.yaml", "--rules", rules]
    outcome = simulate_files(tmp_path, [tmp_path / "visits.csv"], *files)
    assert sorted(sorted(profile["identifiers"]) for profile in outcome.profiles) == [
        ["email:a@shop.example", "email:b@shop.example", "name_and_birth:ann smith|1980-05-01"],
        ["name_and_birth:ann smith|1990-01-01"],
    ]
