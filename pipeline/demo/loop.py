"""The demo's loop: send what is due, take what came, show it; until everything sent has gone through."""

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
"""Events sent between two looks at what came back, so that the screen stays alive when the day is played at once."""
ENOUGH_QUIET_SAMPLES: Final = 2
MAX_WAITING: Final = 3_000
"""Records before any one stage above which the shop's clock stands still: on a slow machine the day takes longer, but
what is on the screen stays the truth about the hour on its clock."""


class NotFinishedError(OperatorError):
    """The pipeline did not work off the day in time. Operator action: see the workers' log that the message names."""


class Outcome(msgspec.Struct, frozen=True):
    """How it went, in seconds since the first event was sent."""

    seconds: float
    first_lead_seconds: float | None
    peak_customers: int


class DemoLoop:
    """One performance. ``known`` must be what the live view's board tells of updates."""

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
        self._play, self._supervisor, self._known = sender, supervisor, known
        self._live, self._meter, self._stage = live, meter, display
        self._curves = Curves()
        self._stages: list[StageFlow] = []
        self._quiet = 0
        self._clock_seconds = self._turned_seconds = 0.0
        self._first_lead_seconds: float | None = None
        self._peak = 0
        self._began = time.monotonic()
        self._sample_due = self._look_due = 0.0

    def run(self, timeout_seconds: float) -> Outcome:
        """Play the day, and wait until it is processed: at most so many seconds after its last event was sent.

        Raises:
            NotFinishedError: it was not.
            WorkersKeepDyingError: the workers end by themselves.
            PlayError: an event could not be sent.
        """
        self._began = time.monotonic()
        over_seconds = None
        while self._quiet < ENOUGH_QUIET_SAMPLES:
            elapsed_seconds = self._elapsed_seconds()
            if not self._play.is_over:
                self._play.send_due(self._clock(elapsed_seconds), MAX_AT_ONCE)
            elif over_seconds is None:
                over_seconds = elapsed_seconds
            elif elapsed_seconds > over_seconds + timeout_seconds:
                waiting = sum(flow.lag for flow in self._stages)
                message = f"{waiting:,} records still wait {timeout_seconds:.0f} s after the last event was sent"
                raise NotFinishedError(message)
            self._leads(self._live.poll(TURN_SECONDS))
            self._look(elapsed_seconds)
        self._leads(self._live.until_now())
        self._stage.show(self._picture())
        return Outcome(self._elapsed_seconds(), self._first_lead_seconds, self._peak)

    def _clock(self, elapsed_seconds: float) -> float:
        """Seconds of the day so far; they pass only while the pipeline keeps up."""
        if max((flow.lag for flow in self._stages), default=0) < MAX_WAITING:
            self._clock_seconds += elapsed_seconds - self._turned_seconds
        self._turned_seconds = elapsed_seconds
        return self._clock_seconds

    def _elapsed_seconds(self) -> float:
        return time.monotonic() - self._began

    def _look(self, elapsed_seconds: float) -> None:
        if elapsed_seconds >= self._sample_due:
            self._sample_due = elapsed_seconds + SAMPLE_SECONDS
            self._supervisor.check()
            was_over = self._play.is_over
            self._stages = self._meter.sample(time.monotonic())
            done = was_over and not any(flow.lag for flow in self._stages)
            self._quiet = self._quiet + 1 if done else 0
        if elapsed_seconds >= self._look_due:
            self._look_due = elapsed_seconds + POLL_SECONDS
            self._stage.show(self._picture())

    def _leads(self, actions: list[dict[str, Any]]) -> None:
        for action in actions:
            if self._first_lead_seconds is None:
                self._first_lead_seconds = self._elapsed_seconds()
            self._stage.lead(action, self._picture())

    def _picture(self) -> DemoState:
        counts = self._live.board.counts()
        self._peak = max(self._peak, counts.customers)
        sender = self._play
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
