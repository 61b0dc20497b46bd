"""The runner settles every action once: delivered, superseded, quarantined with the CRM's words, or tried again."""

from typing import Any

import pytest

from connectors.crm.action_log import Commit
from connectors.crm.ledger import Ledger
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.runner import Policy, SinkRunner
from connectors.crm.sink import Action, Delivered, NeedsReview, Outcome, Pause, Refused, RetryLater, SinkError
from pipeline.event.reason import Reason
from pipeline.kafka.dlq_headers import SINK_HEADER
from pipeline.obs import metrics as names
from pipeline.obs.metrics import Metrics
from tests.support.crm_log import Clock, MemoryActionLog, Stop, Topics


class Sink:
    """Answers each action with the next of its outcomes."""

    def __init__(self, outcomes: dict[str, list[Outcome]], positions: dict[int, int] | None = None) -> None:
        self._outcomes, self._positions = outcomes, positions
        self.asked: list[str] = []

    def positions(self) -> dict[int, int] | None:
        return self._positions

    def deliver(self, actions: list[Action]) -> list[Outcome]:
        self.asked.append(" ".join(f"{action.action_id}{action.revision}" for action in actions))
        return [self._answer(action) for action in actions]

    def close(self) -> None:
        pass

    def _answer(self, action: Action) -> Outcome:
        if self._outcomes.get(action.action_id):
            return self._outcomes[action.action_id].pop(0)
        row = LedgerRow(sink="s", tenant="", action_id=action.action_id, revision=action.revision, object_id="7")
        return Delivered("contact", "7", row)


class World:
    """The topics, and one runner after another over them."""

    def __init__(self, outcomes: dict[str, list[Outcome]] | None = None, **policy: Any) -> None:
        self.topics, self.clock = Topics(), Clock()
        self.sink = Sink(outcomes or {})
        self.metrics, self.policy = Metrics(), Policy(**policy)
        self.runner: SinkRunner

    def send(self, *actions: str, headers: list[tuple[str, bytes]] | None = None) -> None:
        """Actions such as ``a1`` (action a, revision 1, profile a) or ``b1:a`` (profile a)."""
        for text in actions:
            self.topics.send(text.encode(), headers=headers)

    def run(self) -> SinkRunner:
        log = MemoryActionLog(self.topics, self.clock)
        self.runner = SinkRunner(
            "s", log, self.sink, decode=decode, clock=self.clock, ledger=Ledger(), metrics=self.metrics,
            policy=self.policy,
        )  # fmt: skip
        self.runner.run(Stop(self.clock), drain=True)
        return self.runner

    @property
    def quarantined(self) -> list[tuple[bytes | None, Reason, str]]:
        return [(refusal.record.value(), refusal.reason, refusal.detail) for refusal in self.topics.quarantine]

    @property
    def position(self) -> int:
        return self.topics.positions[0].offset


def decode(value: bytes) -> dict[str, Any]:
    action, _, profile = value.decode().partition(":")
    if not action[:1].isalpha():
        message = "not an action"
        raise ValueError(message)
    return {"action_id": action[0], "profile_id": profile or action[0], "revision": int(action[1:])}


def test_refused_and_unclear_actions_are_quarantined_with_the_words_of_the_crm():
    world = World({"b": [Refused("bad e-mail")], "c": [NeedsReview("two leads match")]})
    world.send("a1", "b1", "c1", "d1")
    runner = world.run()

    assert world.sink.asked == ["a1 b1 c1 d1"]
    assert (runner.delivered, runner.quarantined, world.position) == (2, 2, 4)
    assert world.quarantined == [
        (b"b1", Reason.SINK_REFUSED, "bad e-mail"),
        (b"c1", Reason.SINK_REVIEW, "two leads match"),
    ]


def test_an_action_that_must_wait_holds_back_its_lead_and_no_other():
    world = World({"a": [RetryLater(0, "busy"), RetryLater(0, "busy")]})
    world.send("a1", "b1:a", "c1", "d1:a")
    world.run()

    assert world.sink.asked == ["a1 c1", "a1", "a1", "b1", "d1"]
    assert world.position == 4


def test_what_is_settled_beyond_a_waiting_action_is_not_delivered_again_after_a_crash():
    world = World({"a": [RetryLater(0, "busy")], "b": [Refused("no")]})
    world.send("a1", "b1", "c1")
    log = MemoryActionLog(world.topics, world.clock)
    SinkRunner("s", log, world.sink, decode=decode, clock=world.clock, ledger=Ledger()).run(Stop(world.clock, 1))
    assert (world.position, world.topics.positions[0].metadata != "") == (0, True)

    world.run()

    assert world.sink.asked == ["a1 b1 c1", "a1"]
    assert len(world.quarantined) == 1
    assert world.position == 3


def test_an_action_is_given_up_after_its_tries_and_the_next_of_its_lead_goes_on():
    world = World({"a": [RetryLater(0, "locked")] * 3}, max_tries=3)
    world.send("a1", "b1:a")
    world.run()

    assert world.quarantined == [(b"a1", Reason.SINK_GAVE_UP, "locked")]
    assert world.sink.asked == ["a1", "a1", "a1", "b1"]


def test_a_limit_is_never_counted_against_a_lead_and_stops_the_whole_sink():
    world = World({"a": [Pause(0, "slow down")] * 9 + [Pause(60_000, "day quota")] * 9}, max_tries=2)
    world.send("a1", "b1")
    start = world.clock.now_ms
    runner = world.run()

    assert world.quarantined == []
    assert runner.delivered == 2
    assert world.clock.now_ms - start >= 9 * 60_000
    assert runner.not_ready() == []


def test_a_paused_sink_is_not_ready_and_gives_the_reason():
    world = World({"a": [Pause(90_000, "HTTP 429, DAILY")]})
    world.send("a1")
    log = MemoryActionLog(world.topics, world.clock)
    runner = SinkRunner("s", log, world.sink, decode=decode, clock=world.clock, metrics=world.metrics)
    assert runner.not_ready() == ["sink s reads its ledger"]
    runner.run(Stop(world.clock, 1))

    assert runner.not_ready() == ["sink s waits 91 s for the CRM: HTTP 429, DAILY"]
    assert world.metrics.value(names.CRM_PAUSED_SECONDS, "s") == 90.0


def test_only_the_highest_revision_of_an_action_is_delivered():
    world = World()
    world.send("a1", "a3", "a2", "b1")
    runner = world.run()
    world.send("a2", "a3", "a4")
    runner = world.run()

    assert world.sink.asked == ["a3 b1", "a4"]
    assert (runner.delivered, runner.skipped) == (1, 2)
    assert world.topics.newest()["a"].revision == 4


def test_what_the_ledger_holds_is_not_delivered_again_by_another_runner():
    world = World()
    world.send("a2")
    world.run()
    world.topics.positions.clear()
    world.run()

    assert world.sink.asked == ["a2"]


def test_what_is_no_action_is_quarantined_and_the_rest_delivered():
    world = World()
    world.send("a1", "1", "b1")
    world.run()

    assert world.sink.asked == ["a1 b1"]
    assert world.quarantined == [(b"1", Reason.UNDECODABLE, "not an action")]


def test_a_replayed_action_goes_to_the_sink_that_quarantined_it_only():
    world = World()
    world.send("a1", headers=[(SINK_HEADER, b"s")])
    world.send("b1", headers=[(SINK_HEADER, b"another")])
    world.run()

    assert world.sink.asked == ["a1"]
    assert world.position == 2


def test_a_runner_that_was_shut_out_sends_nothing():
    world = World()
    world.send("a1")
    old = SinkRunner("s", MemoryActionLog(world.topics, world.clock), world.sink, decode=decode, clock=world.clock)
    MemoryActionLog(world.topics, world.clock)
    world.clock.now_ms += 5_000

    with pytest.raises(SinkError, match="another process"):
        old.run(StoppedFor(world.clock, 5_000))
    assert world.sink.asked == []


def test_a_runner_that_was_paused_after_a_commit_proves_again_that_no_other_has_taken_over():
    world = World()
    world.send("a1")
    log = PausedAfterCommit(world.topics, world.clock)
    runner = SinkRunner("s", log, world.sink, decode=decode, clock=world.clock, ledger=Ledger())
    runner.run(Stop(world.clock), drain=True)
    MemoryActionLog(world.topics, world.clock)

    with pytest.raises(SinkError, match="another process"):
        runner.confirm()


class PausedAfterCommit(MemoryActionLog):
    """The process is stopped for five seconds after each commit."""

    def commit(self, commit: Commit) -> None:
        super().commit(commit)
        self._clock.sleep(5)


def test_an_idle_runner_that_was_shut_out_ends():
    world = World()
    world.send("a1")
    world.run()
    old = SinkRunner("s", MemoryActionLog(world.topics, world.clock), world.sink, decode=decode, clock=world.clock)
    MemoryActionLog(world.topics, world.clock)

    with pytest.raises(SinkError, match="another process"):
        old.run(Stop(world.clock))


class StoppedFor(Stop):
    """The process is stopped for some time after it started."""

    def __init__(self, clock: Clock, stopped_ms: int) -> None:
        super().__init__(clock)
        self._stopped_ms = stopped_ms

    def is_set(self) -> bool:
        self._clock.now_ms += self._stopped_ms
        return super().is_set()


def test_a_partition_whose_oldest_action_waits_is_held_when_its_window_is_full(monkeypatch):
    monkeypatch.setattr("connectors.crm.progress.MAX_SPAN", 4)
    world = World({"a": [RetryLater(0, "busy")] * 3})
    world.send("a1", *(f"{letter}1" for letter in "bcdefghi"))
    log = MemoryActionLog(world.topics, world.clock)
    runner = SinkRunner(
        "s", log, world.sink, decode=decode, clock=world.clock, policy=Policy(open_actions=4), ledger=Ledger()
    )
    runner.run(Stop(world.clock), drain=True)

    assert world.sink.asked[0] == "a1 b1 c1 d1"
    assert runner.delivered == 9
    assert world.topics.positions[0] == (9, "")


def test_a_sink_that_leaves_out_an_outcome_is_stopped(monkeypatch):
    world = World()
    world.send("a1")
    monkeypatch.setattr(Sink, "deliver", lambda *_: [])

    with pytest.raises(SinkError, match="0 outcomes for 1 actions"):
        world.run()


def test_a_sink_with_positions_of_its_own_gets_every_action_in_order():
    world = World({"b": [RetryLater(0, "busy")]})
    world.sink = Sink({"b": [RetryLater(0, "busy")]}, {0: 1})
    world.send("x1", "a1", "b1", "a2", "c1")
    world.run()

    assert world.sink.asked == ["a1 b1 a2 c1", "b1 a2 c1"]
