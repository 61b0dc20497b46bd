"""From a purchase log to the published model: simulate, export, fit, as an analyst would type it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.profile.kinds.purchases import purchases_of
from pipeline.rules.model_file import load_model
from pipeline.score.prediction import predict
from pipeline.settings import Settings
from tests.acceptance import cdnow
from tests.acceptance.command import run
from tests.support.cdnow_sample import CALIBRATION_DAY, PUBLISHED_BGNBD, WEEK_DAYS, sample_customers

DAY = datetime.fromtimestamp(CALIBRATION_DAY * 86_400, UTC).strftime("%Y-%m-%d")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the 2,357 customers of the sample bought in the first 39 weeks, as events."""
    path, sample = tmp_path_factory.mktemp("cdnow") / "purchases.ndjson", set(sample_customers())
    events = [
        msgspec.json.encode(event) + b"\n"
        for event in cdnow.events()
        if event["identifiers"]["loyalty_id"] in sample and event["timestamp"] // cdnow.DAY_MS <= CALIBRATION_DAY
    ]
    path.write_bytes(b"".join(events))
    return path


def test_the_shipped_rules_and_three_commands_lead_to_the_published_estimate(log: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    run(settings, "simulate", log, "--as-of", DAY, "--out", tmp_path / "out")
    run(
        settings, "model", "fit", tmp_path / "out" / "profiles.ndjson", "--out", tmp_path / "m.json", "--holdout", "60d"
    )
    run(settings, "model", "show", tmp_path / "m.json")

    model = load_model(tmp_path / "m.json")
    bg_nbd = model.purchases
    weekly = {"r": bg_nbd.r, "alpha": bg_nbd.alpha / WEEK_DAYS, "a": bg_nbd.a, "b": bg_nbd.b}
    assert {name: round(value, 3) for name, value in weekly.items()} == PUBLISHED_BGNBD
    assert (model.currency, model.calibration.customers, model.calibration.repeat_buyers) == ("USD", 2_357, 946)
    assert model.holdout is not None
    best = min(model.holdout.predictors, key=lambda name: model.holdout.predictors[name].root_mean_square_error)
    assert best == "model"

    run(settings, "rules", "init", tmp_path / "rules")
    (tmp_path / "m.json").rename(tmp_path / "rules" / "model.json")
    run(settings, "simulate", log, "--rules", tmp_path / "rules", "--as-of", DAY, "--out", tmp_path / "with")
    views = [msgspec.json.decode(line) for line in (tmp_path / "with" / "profiles.ndjson").read_bytes().splitlines()]
    assert len(views) == 2_357
    for view in views:
        cell = [[day, [amount, orders]] for day, amount, orders in purchases_of_view(view)["history"]]
        known = purchases_of(cell)
        assert known is not None
        assert view["predictions"] == predict(model, known, view["as_of_ms"])


def purchases_of_view(view: dict[str, Any]) -> dict[str, Any]:
    return view["aggregates"]["purchases"]["lifetime"]["USD"]
