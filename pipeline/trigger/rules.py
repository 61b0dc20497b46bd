"""Rules of triggers: when a customer becomes worth a call. The structs are what ``triggers.yaml`` is read into."""

import msgspec

from pipeline.profile.rules import unique
from pipeline.score.rules import ENGAGEMENT


class TriggerRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fires when a score reaches ``high``; armed again only once it has fallen below ``low``, after the cooldown.

    One firing and the time until it is armed again are an episode: one action each, whatever the score does between.
    """

    name: str
    high: float
    low: float
    score: str = ENGAGEMENT
    cooldown_ms: int = 0
    """At least this long between two firings, whatever the score does; 0 for none."""

    consent: str = ""
    """Purpose, or ``purpose/channel``, that must not have been denied when the trigger would fire; "" for none."""
    consent_asked: bool = False
    """Whether the purpose must also have been granted: silence is not enough."""

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            msg = f"trigger {self.name!r}: low must be above 0 and not above high"
            raise ValueError(msg)
        if self.consent_asked and not self.consent:
            msg = f"trigger {self.name!r} asks for consent to nothing: write consent, or leave consent_asked out"
            raise ValueError(msg)
        if self.cooldown_ms < 0:
            msg = f"cooldown of trigger {self.name!r} is below zero: write a duration such as 7 d, or leave it out"
            raise ValueError(msg)


class TriggerRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``triggers.yaml``."""

    triggers: tuple[TriggerRule, ...] = ()

    def __post_init__(self) -> None:
        unique("trigger", [rule.name for rule in self.triggers])
