"""Rules of triggers: when a customer becomes worth a call. The structs are what ``triggers.yaml`` is read into."""

import re
from typing import Final, Literal

import msgspec

from pipeline.event.form import Duration
from pipeline.profile.rules import unique
from pipeline.score.rules import ENGAGEMENT

_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


class QuietHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours of the day in which nobody is told: what fires then is told when they end, if it still holds."""

    start: str
    """Local time as 21:00, in the time zone of ``aggregates.yaml``."""
    end: str
    """Local time as 08:00; before ``start`` it is the next day's."""

    def __post_init__(self) -> None:
        for text in (self.start, self.end):
            if _CLOCK.fullmatch(text) is None:
                msg = f"{text!r} is no time of day: write hours and minutes, as in 21:00"
                raise ValueError(msg)
        if self.start == self.end:
            msg = "quiet hours start and end at one time: leave them out, or write two times"
            raise ValueError(msg)

    def minutes(self) -> tuple[int, int]:
        """Start and end as minutes of the day."""
        return _minute(self.start), _minute(self.end)


class Trigger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What triggers have in common. One firing and the time until it is armed again are an episode: one action each."""

    name: str
    score: str = ENGAGEMENT
    """The score that is told with the action; of a score's trigger the one that is watched."""
    cooldown_ms: Duration = 0
    """At least this long between two firings, whatever happens; 0 for none."""
    once: bool = False
    """Fire once in a customer's life."""
    quiet: QuietHours | None = None
    """Hours in which nobody is told; what fires then is told when they end, if it still holds."""
    consent: str = ""
    """Purpose, or ``purpose/channel``, that must not have been denied when the trigger would fire; "" for none."""
    consent_asked: bool = False
    """Whether the purpose must also have been granted: silence is not enough."""

    def __post_init__(self) -> None:
        if self.consent_asked and not self.consent:
            msg = f"trigger {self.name!r} asks for consent to nothing: write consent, or leave consent_asked out"
            raise ValueError(msg)
        if self.cooldown_ms < 0:
            msg = f"cooldown of trigger {self.name!r} is below zero: write a duration such as 7 d, or leave it out"
            raise ValueError(msg)

    @property
    def starts_unarmed(self) -> bool:
        """Whether the opposite of what fires must have come before it can fire."""
        return False


class TriggerRule(Trigger, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fires when a score reaches ``high``; armed again only once it has fallen below ``low``, after the cooldown.

    One firing and the time until it is armed again are an episode: one action each, whatever the score does between.
    """

    high: float
    low: float
    falling: bool = False
    """Watch the score on its way down: it must have reached ``high``, fires below ``low``, re-arms at ``high``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.low <= self.high:
            msg = f"trigger {self.name!r}: low must be above 0 and not above high"
            raise ValueError(msg)

    @property
    def starts_unarmed(self) -> bool:
        """A score on its way down must have been up."""
        return self.falling


class SegmentTrigger(Trigger, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fires when a customer enters a segment, or leaves it; armed again by the opposite change, after the cooldown."""

    segment: str
    change: Literal["entered", "exited"] = "entered"
    """Which change fires."""

    @property
    def starts_unarmed(self) -> bool:
        """Who leaves must have been inside."""
        return self.change == "exited"


class TriggerRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``triggers.yaml``."""

    triggers: tuple[TriggerRule, ...] = ()
    """On scores."""
    segment_triggers: tuple[SegmentTrigger, ...] = ()
    """On segments."""

    def __post_init__(self) -> None:
        unique("trigger", [rule.name for rule in self.every()])

    def every(self) -> tuple[Trigger, ...]:
        """All of them, those on scores first."""
        return (*self.triggers, *self.segment_triggers)


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
