"""The demo's loop: sends due events, folds the output topics and shows the result, until every event is processed."""

import time
from typing import Any, Final

import msgspec

from pipeline.demo.demo_state import Curves, DemoState, Display
from pipeline.demo.event_sender import EventSender
from pipeline.demo.truth import Known
from pipeline.errors import OperatorError
from pipeline.query.flow import FlowMeter, StageFlow
from pipeline.query.live import Live
from pipeline.stream.supervisor import Supervisor

TURN_SECONDS: Final = 0.05
POLL_SECONDS: Final = 0.25
SAMPLE_SECONDS: Final = 0.5
MAX_AT_ONCE: Final = 1_000
"""Events sent between two polls of the output topics, so that the screen stays responsive if the day has no length."""
ENOUGH_QUIET_SAMPLES: Final = 2
MAX_WAITING: Final = 3_000
"""Lag of a single stage that stops the shop's clock. On a slow machine the day takes longer, but the numbers on the
screen match the time on its clock."""


class NotFinishedError(OperatorError):
    """The pipeline did not process the day in time. Operator action: see the workers' log."""


class Outcome(msgspec.Struct, frozen=True):
    """The course of a demo. Times are in seconds since the first event was sent."""

    seconds: float
    first_lead_seconds: float | None
    peak_customers: int


class DemoLoop:
    """One run of the demo. ``known`` must be the ``on_update`` callback's target of the live view's board."""

    def __init__(
        self,
        sender: EventSender,
        supervisor: Supervisor,
        known: Known,
        *,
        live: Live,
        meter: FlowMeter,
        display: Display,
    ) -> None:
        self._sender, self._supervisor, self._known = sender, supervisor, known
        self._live, self._meter, self._display = live, meter, display
        self._curves = Curves()
        self._stages: list[StageFlow] = []
        self._quiet_samples = 0
        """Consecutive samples with nothing left to process."""
        self._clock_seconds = self._clock_updated_seconds = 0.0
        self._first_lead_seconds: float | None = None
        self._peak_customers = 0
        self._began = time.monotonic()
        self._sample_due = self._show_due = 0.0

    def run(self, timeout_seconds: float) -> Outcome:
        """Sends the day and waits until it is processed.

        Raises:
            NotFinishedError: records still wait ``timeout_seconds`` after the last event was sent.
            WorkersKeepDyingError: the workers keep exiting by themselves.
            SendError: an event could not be sent.
        """
        self._began = time.monotonic()
        over_seconds = None
        while self._quiet_samples < ENOUGH_QUIET_SAMPLES:
            elapsed_seconds = self._elapsed_seconds()
            if not self._sender.is_over:
                self._sender.send_due(self._clock(elapsed_seconds), MAX_AT_ONCE)
            elif over_seconds is None:
                over_seconds = elapsed_seconds
            elif elapsed_seconds > over_seconds + timeout_seconds:
                waiting = sum(flow.lag for flow in self._stages)
                message = f"{waiting:,} records still wait {timeout_seconds:.0f} s after the last event was sent"
                raise NotFinishedError(message)
            self._show_leads(self._live.poll(TURN_SECONDS))
            self._sample_and_show(elapsed_seconds)
        self._show_leads(self._live.until_now())
        self._display.show(self._state())
        return Outcome(self._elapsed_seconds(), self._first_lead_seconds, self._peak_customers)

    def _clock(self, elapsed_seconds: float) -> float:
        """Returns the shop's clock in seconds since the start of the day. It stops while a stage lags."""
        if max((flow.lag for flow in self._stages), default=0) < MAX_WAITING:
            self._clock_seconds += elapsed_seconds - self._clock_updated_seconds
        self._clock_updated_seconds = elapsed_seconds
        return self._clock_seconds

    def _elapsed_seconds(self) -> float:
        return time.monotonic() - self._began

    def _sample_and_show(self, elapsed_seconds: float) -> None:
        if elapsed_seconds >= self._sample_due:
            self._sample_due = elapsed_seconds + SAMPLE_SECONDS
            self._supervisor.check()
            was_over = self._sender.is_over
            self._stages = self._meter.sample(time.monotonic())
            done = was_over and not any(flow.lag for flow in self._stages)
            self._quiet_samples = self._quiet_samples + 1 if done else 0
        if elapsed_seconds >= self._show_due:
            self._show_due = elapsed_seconds + POLL_SECONDS
            self._display.show(self._state())

    def _show_leads(self, actions: list[dict[str, Any]]) -> None:
        for action in actions:
            if self._first_lead_seconds is None:
                self._first_lead_seconds = self._elapsed_seconds()
            self._display.lead(action, self._state())

    def _state(self) -> DemoState:
        counts = self._live.board.counts()
        self._peak_customers = max(self._peak_customers, counts.customers)
        sender = self._sender
        share = min(1.0, self._clock_seconds / sender.seconds) if sender.seconds else sender.sent / sender.events
        self._curves.note(share, len(self._known.identifiers), counts.customers)
        return DemoState(
            day_share=share,
            sent=sender.sent,
            events=sender.events,
            by_channel=dict(sender.by_channel),
            identifiers=len(self._known.identifiers),
            counts=counts,
            stages=self._stages,
            identifier_curve=self._curves.identifiers,
            max_identifiers=sender.identifiers,
            customer_curve=self._curves.customers,
        )
