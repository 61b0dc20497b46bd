"""Replay equality detects defects: each planted defect changes what some way of feeding a small history says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.event.duration import DAY_MS
from pipeline.event.intake import Intake
from pipeline.stream import gate, order
from pipeline.stream.gate import END
from pipeline.stream.stages.event_queue import EventQueue
from pipeline.stream.stages.profile import ProfileStage
from pipeline.stream.stages.waiting import WaitingProfiles
from tests.support.replay_history import history, rules_in
from tests.support.replay_outcome import Outcome, Replay

EVENTS = 1_200
Patch = Callable[[pytest.MonkeyPatch], None]


def gates_that_wait_for_no_source(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gate, "moment", lambda _: order.moment(END))


def files_decided_one_after_the_other(patch: pytest.MonkeyPatch) -> None:
    begin = EventQueue.begin_source
    patch.setattr(EventQueue, "begin_source", lambda queue, source, more: begin(queue, source, more=False))


def targets_that_do_not_wait_for_ledgers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(WaitingProfiles, "must_wait", lambda *_: False)


def timers_by_the_newest_touch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ProfileStage, "_decided_ms", lambda stage: stage.newest_ms + 40 * DAY_MS)


def touches_addressed_by_the_newest_assignment(patch: pytest.MonkeyPatch) -> None:
    owner_of = Intake.owner_of
    patch.setattr(Intake, "owner_of", lambda intake, home: owner_of(intake, home) if hash(home) % 2 else None)


DEFECTS: list[Patch] = [
    gates_that_wait_for_no_source,
    files_decided_one_after_the_other,
    targets_that_do_not_wait_for_ledgers,
    timers_by_the_newest_touch,
    touches_addressed_by_the_newest_assignment,
]


@pytest.fixture(scope="module")
def rules_dir(tmp_path_factory) -> Path:
    return rules_in(tmp_path_factory.mktemp("rules"))


def outcomes(rules_dir: Path) -> list[Outcome]:
    """Returns what a history says that is fed in one file, forwards by days, and backwards in files of 20 days."""
    events = history(EVENTS, seed=5)
    parts: dict[int, list[dict]] = {}
    for event in events:
        parts.setdefault(event["timestamp"] // (20 * DAY_MS), []).append(event)
    result = []
    for way, are_files in (([events], True), (list(parts.values()), False), (list(parts.values())[::-1], True)):
        replay = Replay(rules_dir)
        for number, part in enumerate(way, 1):
            if are_files:
                replay.simulation.begin_source(more=number < len(way))
            replay.feed(part)
            replay.simulation.process()
        result.append(replay.outcome(events[-1]["timestamp"]))
    return result


@pytest.fixture(scope="module")
def expected(rules_dir) -> Outcome:
    first, *others = outcomes(rules_dir)
    assert all(other == first for other in others)
    return first


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_a_planted_defect_changes_what_a_replay_says(rules_dir, expected, defect, monkeypatch):
    defect(monkeypatch)
    assert any(outcome != expected for outcome in outcomes(rules_dir))
