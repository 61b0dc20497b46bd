"""From the options of ``stitchline chaos`` to the number of faults of each kind, and back to a line that replays it."""

import pytest
from typer.testing import CliRunner

from pipeline.chaos.chosen import OTHERS, LengthError, chosen_counts, chosen_seconds
from pipeline.chaos.plan import DEFAULT_COUNTS, Kind, Plan
from pipeline.cli import app
from pipeline.cli.chaos import replay_line

NOTHING = dict.fromkeys(("kills", "zombies", "resizes", "broker_restarts", "disk_full", "others"))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1 h 30 min", 5400), ("1d", 86_400), (" 2m ", 120)]
)
def test_a_length_is_a_number_with_a_unit(text, seconds):
    assert chosen_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "m", "-3s", "3 months", "1e3", "1.5h"])
def test_anything_else_is_refused(text):
    with pytest.raises(LengthError, match="a run can last 90s or 10m"):
        chosen_seconds(text)


def test_without_a_choice_every_kind_comes():
    assert chosen_counts(**NOTHING, soak=False) == DEFAULT_COUNTS
    assert set(DEFAULT_COUNTS) == set(Kind)


def test_a_soak_has_no_faults_unless_they_are_chosen():
    assert chosen_counts(**NOTHING, soak=True) == {}
    assert chosen_counts(**NOTHING | {"kills": 2}, soak=True) == {Kind.KILL: 2}


def test_one_choice_leaves_the_other_kinds_out():
    counts = chosen_counts(**NOTHING | {"broker_restarts": 5, "others": 1}, soak=False)
    assert counts == {Kind.BROKER: 3, Kind.BROKER_AND_WORKERS: 2, **dict.fromkeys(OTHERS, 1)}


def test_the_replay_line_names_the_seed_and_every_number():
    line = replay_line(Plan(seed=3, seconds=90, counts={Kind.KILL: 100, Kind.BROKER: 3, Kind.BROKER_AND_WORKERS: 2}))
    assert line.startswith("stitchline chaos --seed=3 ")
    assert {"--kills=100", "--broker-restarts=5", "--zombies=0", "--others=0", "--for=90s"} <= set(line.split())


def test_a_configured_kafka_is_refused(monkeypatch):
    monkeypatch.setenv("STITCHLINE_BOOTSTRAP_SERVERS", "kafka-1:9092")
    result = CliRunner().invoke(app, ["chaos"])
    assert result.exit_code == 2
    assert "unset STITCHLINE_BOOTSTRAP_SERVERS" in result.output
