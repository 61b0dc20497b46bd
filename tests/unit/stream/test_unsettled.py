"""A transaction that Kafka does not settle in time, and which errors a new session can continue after."""

import contextlib
import threading
import time
from types import SimpleNamespace
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline.errors import OperatorError
from pipeline.kafka import time_limit
from pipeline.kafka.reach import NoBrokerError
from pipeline.stream import unit_of_work
from pipeline.stream.session import _is_of_kafka
from pipeline.stream.unit_of_work import UnitOfWork, Unsettled
from pipeline.testing.refusals import refusal

FENCED = KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))
TIMED_OUT = refusal(KafkaError._TIMED_OUT, retriable=True)


class AwayProducer:
    """A producer whose broker is away: calls end at their limit. ``left`` are the records that a flush leaves."""

    def __init__(self) -> None:
        self.left: list[int] = []
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(*_: object, **__: object) -> None:
            self.calls.append(name)
            if name in {"send_offsets_to_transaction", "commit_transaction", "abort_transaction"}:
                raise TIMED_OUT

        return call

    def flush(self, _timeout: float) -> int:
        self.calls.append("flush")
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> tuple[UnitOfWork, AwayProducer]:
    seconds = iter(range(1_000_000))
    monkeypatch.setattr(unit_of_work, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    producer = AwayProducer()
    unit = UnitOfWork({}, "x", "cdp", producer=lambda _config: producer, within=lambda _seconds, call: call())  # type: ignore[arg-type,return-value]
    unit.consumed("cdp.events.web.v1", 0, 5, 5)
    return unit, producer


def test_a_flush_without_progress_leaves_the_transaction_unsettled_and_is_not_aborted(
    away: tuple[UnitOfWork, AwayProducer],
) -> None:
    unit, producer = away
    producer.left = [7]
    with pytest.raises(Unsettled):
        unit.commit([], lambda: None)
    assert "send_offsets_to_transaction" not in producer.calls
    unit.abort()  # of the rebalance that follows: it must not wait for the broker again
    assert "abort_transaction" not in producer.calls


def test_a_flush_that_makes_progress_may_take_long(away: tuple[UnitOfWork, AwayProducer]) -> None:
    unit, producer = away
    producer.left = [*range(100, -1, -1)]
    with pytest.raises(Unsettled):  # of the offsets, which come after it
        unit.commit([], lambda: None)
    assert producer.calls.count("flush") == 101
    assert "send_offsets_to_transaction" in producer.calls


@pytest.mark.parametrize("blocked", ["send_offsets_to_transaction", "commit_transaction", "abort_transaction"])
def test_a_call_that_ignores_its_limit_is_left_behind(blocked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "GRACE_SECONDS", 0.05)
    monkeypatch.setattr(unit_of_work, "REQUEST_SECONDS", 0.05)
    producer, released = AwayProducer(), threading.Event()
    producer.left = [0]
    for name in ("send_offsets_to_transaction", "commit_transaction", "abort_transaction"):
        producer.__dict__[name] = lambda *_: None
    producer.__dict__[blocked] = lambda *_: released.wait()
    unit = UnitOfWork({}, "x", "cdp", producer=lambda _config: producer)  # type: ignore[arg-type,return-value]
    unit.consumed("cdp.events.web.v1", 0, 5, 5)
    try:
        with pytest.raises(Unsettled):
            unit.abort() if blocked == "abort_transaction" else unit.commit([], lambda: None)
        producer.calls.clear()
        unit.abort()  # of the rebalance that follows: the producer must not be used again
        assert not producer.calls
    finally:
        released.set()


def test_an_abort_that_does_not_end_leaves_the_transaction_unsettled(away: tuple[UnitOfWork, AwayProducer]) -> None:
    unit, producer = away
    for _ in range(2):
        with contextlib.suppress(Unsettled):
            unit.abort()
    assert producer.calls.count("abort_transaction") == 1


@pytest.mark.parametrize(
    ("error", "is_overdue", "goes_on"),
    [
        (Unsettled("x"), False, True),
        (NoBrokerError("x"), False, True),
        (TIMED_OUT, False, True),
        (KafkaException(KafkaError(confluent_kafka.KafkaError._FATAL, "x", fatal=True)), False, True),
        (FENCED, True, True),  # Kafka aborted the transaction at its timeout
        (FENCED, False, False),  # another process has taken the id
        (OperatorError("x"), True, False),
        (ValueError("x"), True, False),
    ],
)
def test_a_new_session_follows_after_errors_of_kafka_only(error: Exception, is_overdue: bool, goes_on: bool) -> None:
    assert _is_of_kafka(error, is_overdue=is_overdue) is goes_on


def test_a_transaction_is_overdue_at_its_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [time.monotonic()]
    monkeypatch.setattr(unit_of_work, "time", SimpleNamespace(monotonic=lambda: now[0]))
    unit = UnitOfWork({}, "x", "cdp", 15_000, producer=lambda _config: AwayProducer())  # type: ignore[arg-type,return-value]
    now[0] += 100
    assert not unit.is_overdue  # none is open
    unit.consumed("cdp.events.web.v1", 0, 5, 5)
    assert not unit.is_overdue
    now[0] += 15
    assert unit.is_overdue


def test_the_cause_of_a_fatal_error_is_that_of_a_transactional_call() -> None:
    fatal = KafkaException(KafkaError(KafkaError._FATAL, "Local: Fatal error"))
    producer = AwayProducer()
    producer.__dict__["abort_transaction"] = lambda _timeout: (_ for _ in ()).throw(FENCED)
    unit = UnitOfWork({}, "x", "cdp", producer=lambda _config: producer)  # type: ignore[arg-type,return-value]
    assert unit.cause_of(fatal) is FENCED
    assert unit.cause_of(TIMED_OUT) is TIMED_OUT
    assert unit.cause_of(None) is None
