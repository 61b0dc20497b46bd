"""The demo's loop: send what is due, take what came, show it; until everything sent has gone through."""

import time
from typing import Any, Final

import msgspec

from pipeline.demo.look import Curves, Look, Stage
from pipeline.demo.play import Play
from pipeline.demo.truth import Known
from pipeline.errors import OperatorError
from pipeline.query.flow import FlowMeter, StageFlow
from pipeline.query.live import Live
from pipeline.stream.supervisor import Supervisor

TURN_SECONDS: Final = 0.05
LOOK_SECONDS: Final = 0.25
SAMPLE_SECONDS: Final = 0.5
MOST_AT_ONCE: Final = 1_000
"""Events sent between two looks at what came back, so that the screen stays alive when the day is played at once."""
ENOUGH_QUIET_SAMPLES: Final = 2
MOST_WAITING: Final = 3_000
"""Records before any one stage above which the shop's clock stands still: on a slow machine the day takes longer, but
what is on the screen stays the truth about the hour on its clock."""


class NotFinishedError(OperatorError):
    """The pipeline did not work off the day in time. Operator action: see the workers' log that the message names."""


class Outcome(msgspec.Struct, frozen=True):
    """How it went, in seconds since the first event was sent."""

    seconds: float
    first_lead_s: float | None
    peak_customers: int


class Show:
    """One performance. ``known`` must be what the live view's board tells of updates."""

    def __init__(
        self,
        play: Play,
        supervisor: Supervisor,
        known: Known,
        *,
        live: Live,
        meter: FlowMeter,
        stage: Stage,
    ) -> None:
        self._play, self._supervisor, self._known = play, supervisor, known
        self._live, self._meter, self._stage = live, meter, stage
        self._curves = Curves()
        self._stages: list[StageFlow] = []
        self._quiet = 0
        self._clock_s = self._turned_s = 0.0
        self._first_lead_s: float | None = None
        self._peak = 0
        self._began = time.monotonic()
        self._sample_due = self._look_due = 0.0

    def run(self, patience_seconds: float) -> Outcome:
        """Play the day, and wait until it is processed: at most so many seconds after its last event was sent.

        Raises:
            NotFinishedError: it was not.
            WorkersKeepDyingError: the workers end by themselves.
            PlayError: an event could not be sent.
        """
        self._began = time.monotonic()
        over_s = None
        while self._quiet < ENOUGH_QUIET_SAMPLES:
            passed_s = self._passed_s()
            if not self._play.is_over:
                self._play.send_due(self._clock(passed_s), MOST_AT_ONCE)
            elif over_s is None:
                over_s = passed_s
            elif passed_s > over_s + patience_seconds:
                waiting = sum(flow.lag for flow in self._stages)
                message = f"{waiting:,} records still wait {patience_seconds:.0f} s after the last event was sent"
                raise NotFinishedError(message)
            self._leads(self._live.poll(TURN_SECONDS))
            self._look(passed_s)
        self._leads(self._live.until_now())
        self._stage.show(self._picture())
        return Outcome(self._passed_s(), self._first_lead_s, self._peak)

    def _clock(self, passed_s: float) -> float:
        """Seconds of the day so far; they pass only while the pipeline keeps up."""
        if max((flow.lag for flow in self._stages), default=0) < MOST_WAITING:
            self._clock_s += passed_s - self._turned_s
        self._turned_s = passed_s
        return self._clock_s

    def _passed_s(self) -> float:
        return time.monotonic() - self._began

    def _look(self, passed_s: float) -> None:
        if passed_s >= self._sample_due:
            self._sample_due = passed_s + SAMPLE_SECONDS
            self._supervisor.check()
            was_over = self._play.is_over
            self._stages = self._meter.sample(time.monotonic())
            done = was_over and not any(flow.lag for flow in self._stages)
            self._quiet = self._quiet + 1 if done else 0
        if passed_s >= self._look_due:
            self._look_due = passed_s + LOOK_SECONDS
            self._stage.show(self._picture())

    def _leads(self, actions: list[dict[str, Any]]) -> None:
        for action in actions:
            if self._first_lead_s is None:
                self._first_lead_s = self._passed_s()
            self._stage.lead(action, self._picture())

    def _picture(self) -> Look:
        counts = self._live.board.counts()
        self._peak = max(self._peak, counts.customers)
        play = self._play
        share = min(1.0, self._clock_s / play.seconds) if play.seconds else play.sent / play.events
        self._curves.note(share, len(self._known.identifiers), counts.customers)
        return Look(
            day_share=share,
            sent=play.sent,
            events=play.events,
            by_channel=dict(play.by_channel),
            identifiers=len(self._known.identifiers),
            counts=counts,
            stages=self._stages,
            identifier_curve=self._curves.identifiers,
            most_identifiers=play.identifiers,
            customer_curve=self._curves.customers,
        )
