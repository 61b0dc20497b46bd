"""The runner settles every action once: delivered, quarantined with the CRM's words, or tried again in order."""

from threading import Event
from typing import Any

import pytest

from connectors.crm import runner as module
from connectors.crm.runner import SinkRunner
from connectors.crm.sink import Action, Delivered, NeedsReview, Outcome, Refused, RetryLater, SinkError
from pipeline.event.reason import Reason
from pipeline.testing.log import MemoryRecord


class Consumer:
    """Hands its records out once and keeps the commits."""

    def __init__(self, values: list[bytes], stop: Event) -> None:
        self._records = [MemoryRecord("actions", n, b"k", value, None) for n, value in enumerate(values)]
        self._stop = stop
        self.commits: list[int] = []
        self.paused = 0

    def subscribe(self, *_: Any, **__: Any) -> None:
        pass

    def consume(self, _count: int, _seconds: float) -> list[MemoryRecord]:
        if not self._records and not self.paused:
            self._stop.set()
        result, self._records = self._records, []
        return result

    def commit(self, offsets: Any, **_: Any) -> None:
        self.commits += [place.offset for place in offsets]

    def pause(self, _places: Any) -> None:
        self.paused += 1

    def resume(self, _places: Any) -> None:
        self.paused -= 1

    def close(self) -> None:
        pass


class Quarantine:
    def __init__(self) -> None:
        self.held: list[tuple[bytes | None, Reason, str]] = []
        self.flushed = 0

    @property
    def count(self) -> int:
        return len(self.held)

    def add(self, message: Any, reason: Reason, detail: str) -> None:
        self.held.append((message.value(), reason, detail))

    def flush(self) -> None:
        self.flushed = len(self.held)


class Sink:
    """Answers each action with the next of its outcomes."""

    def __init__(self, outcomes: dict[str, list[Outcome]]) -> None:
        self._outcomes = outcomes
        self.asked: list[str] = []

    def positions(self) -> None:
        return None

    def deliver(self, actions: list[Action]) -> list[Outcome]:
        names = [action.body["action_id"] for action in actions]
        self.asked.append("".join(names))
        return [self._outcomes[name].pop(0) if self._outcomes.get(name) else Delivered() for name in names]

    def close(self) -> None:
        pass


def decode(value: bytes) -> dict[str, Any]:
    if not value.isalpha():
        message = "not an action"
        raise ValueError(message)
    return {"action_id": value.decode()}


def run(monkeypatch, values: str, outcomes: dict[str, list[Outcome]]) -> tuple[Sink, Consumer, Quarantine, SinkRunner]:
    stop, sink, quarantine = Event(), Sink(outcomes), Quarantine()
    consumer = Consumer([one.encode() for one in values], stop)
    monkeypatch.setattr(module, "member", lambda *_: consumer)
    runner = SinkRunner({}, "actions", "group", sink, decode=decode, quarantine=quarantine)
    runner.run(stop)
    return sink, consumer, quarantine, runner


def test_refused_and_unclear_actions_are_quarantined_with_the_words_of_the_crm(monkeypatch):
    outcomes: dict[str, list[Outcome]] = {"b": [Refused("bad e-mail")], "c": [NeedsReview("two leads match")]}

    sink, consumer, quarantine, runner = run(monkeypatch, "abcd", outcomes)

    assert sink.asked == ["abcd"]
    assert runner.delivered == 2
    assert quarantine.held == [
        (b"b", Reason.SINK_REFUSED, "bad e-mail"),
        (b"c", Reason.SINK_REVIEW, "two leads match"),
    ]
    assert quarantine.flushed == 2
    assert consumer.commits == [4]


def test_an_action_that_must_wait_holds_those_behind_it_back_and_is_delivered_again(monkeypatch):
    sink, consumer, _, runner = run(monkeypatch, "abc", {"b": [RetryLater(0, "busy"), RetryLater(1, "busy")]})

    assert sink.asked == ["abc", "bc", "bc"]
    assert consumer.commits == [1, 3]
    assert consumer.paused == 0
    assert runner.delivered == 3


def test_a_refusal_behind_an_action_that_waits_counts_once(monkeypatch):
    outcomes: dict[str, list[Outcome]] = {"a": [RetryLater(0, "busy")], "b": [Refused("no"), Refused("no")]}

    _, _, quarantine, runner = run(monkeypatch, "ab", outcomes)

    assert [value for value, _, _ in quarantine.held] == [b"b"]
    assert runner.delivered == 1


def test_what_is_no_action_is_quarantined_and_the_rest_delivered(monkeypatch):
    sink, _, quarantine, _ = run(monkeypatch, "a1b", {})

    assert sink.asked == ["ab"]
    assert quarantine.held == [(b"1", Reason.UNDECODABLE, "not an action")]


def test_a_sink_that_leaves_out_an_outcome_is_stopped(monkeypatch):
    monkeypatch.setattr(Sink, "deliver", lambda *_: [])

    with pytest.raises(SinkError, match="0 outcomes for 1 actions"):
        run(monkeypatch, "a", {})
