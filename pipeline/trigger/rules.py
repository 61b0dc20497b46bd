"""Trigger rules: when a customer becomes a lead. ``triggers.yaml`` is read into these structs."""

import re
from typing import Final, Literal

import msgspec

from pipeline.event.form import Duration
from pipeline.profile.rules import unique
from pipeline.score.rules import ENGAGEMENT

_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class QuietHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours of the day in which a trigger does not fire. It fires when they end, if its condition still holds."""

    start: str
    """Local time as 21:00, in the time zone of ``aggregates.yaml``."""
    end: str
    """Local time as 08:00; before ``start`` it is the next day's."""

    def __post_init__(self) -> None:
        for text in (self.start, self.end):
            if _CLOCK.fullmatch(text) is None:
                msg = f"{text!r} is not a time of day: write hours and minutes, as in 21:00"
                raise ValueError(msg)
        if self.start == self.end:
            msg = "quiet hours start and end at the same time: leave them out, or write two times"
            raise ValueError(msg)

    def minutes(self) -> tuple[int, int]:
        """Returns (start, end) in minutes since midnight."""
        return _minute(self.start), _minute(self.end)


class Trigger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields of all triggers. An episode lasts from one firing until the trigger is armed again: one action each."""

    name: str
    score: str = ENGAGEMENT
    """The score that the action carries. For a trigger on a score, it is also the score that is watched."""
    cooldown_ms: Duration = 0
    """Minimum time between two firings; 0 for none."""
    once: bool = False
    """Whether the trigger fires only once in a customer's life."""
    quiet: QuietHours | None = None
    """Hours of the day in which the trigger does not fire. It fires when they end, if its condition still holds."""
    consent: str = ""
    """Purpose, or ``purpose/channel``. The trigger does not fire while the customer denies it; "" for no check."""
    consent_required: bool = False
    """Whether the customer must have granted the purpose explicitly. If false, an unknown consent permits it."""

    def __post_init__(self) -> None:
        if self.consent_required and not self.consent:
            msg = f"trigger {self.name!r} has consent_required without consent: write consent, or leave both out"
            raise ValueError(msg)
        if self.cooldown_ms < 0:
            msg = f"cooldown of trigger {self.name!r} is below zero: write a duration such as 7 d, or leave it out"
            raise ValueError(msg)

    @property
    def starts_unarmed(self) -> bool:
        """Whether the trigger must be armed by the opposite condition before its first firing."""
        return False


class TriggerRule(Trigger, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fires when a score reaches ``high``; can fire again after the score fell below ``low`` and the cooldown passed.

    An episode lasts from one firing until the trigger is armed again. It sends one action, whatever the score does
    meanwhile.
    """

    high: float
    low: float
    falling: bool = False
    """Whether to watch the score on its way down: the trigger arms at ``high`` and fires below ``low``. It does not
    fire for customers whose score has never reached ``high``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.low <= self.high:
            msg = f"trigger {self.name!r}: low must be above 0 and not above high"
            raise ValueError(msg)

    @property
    def starts_unarmed(self) -> bool:
        """True for a falling trigger: the score must have reached ``high`` first."""
        return self.falling


class SegmentTrigger(Trigger, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fires when a customer enters or leaves a segment; can fire again after the opposite change and the cooldown."""

    segment: str
    change: Literal["entered", "exited"] = "entered"
    """The change that fires the trigger."""

    @property
    def starts_unarmed(self) -> bool:
        """True for an exit trigger: the customer must have been in the segment first."""
        return self.change == "exited"


class TriggerRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``triggers.yaml``."""

    triggers: tuple[TriggerRule, ...] = ()
    """Triggers on scores."""
    segment_triggers: tuple[SegmentTrigger, ...] = ()
    """Triggers on segments."""

    def __post_init__(self) -> None:
        unique("trigger", [rule.name for rule in self.every()])

    def every(self) -> tuple[Trigger, ...]:
        """Returns all triggers, those on scores first."""
        return (*self.triggers, *self.segment_triggers)


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
