"""Triggers over one profile: re-arm, fire, and join what was fired apart.

Looking at a trigger is a step of a small machine: unarmed -> armed -> open (fired) -> armed; cooldown, quiet hours and
consent make an armed one wait. Each look says when, and after how many points, the next one is due.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, TypeAlias

from pipeline.profile.fold import consent_of, permits
from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.trigger.action import DUPLICATE, Story, action_id, action_of
from pipeline.trigger.episodes import EQUAL, Strength, arm, claim, close, open_next, opened, standing_of
from pipeline.trigger.quiet import Local, Quiet
from pipeline.trigger.rules import Trigger, TriggerRules
from pipeline.trigger.signals import ScoreMarks, ScoreSignal, SegmentSignal, Signal, Turn

_NONE: Final[Mapping[str, Collection[float]]] = {}
_LOOK_ALWAYS: Final = Turn(come=False, headroom=0)

Bearing: TypeAlias = Literal["open", "spent", "cooldown", "consent", "quiet_hours", "idle"]
"""Where a trigger stands after a look: fired and not armed again; fired for the only time; its signal holds but the
cooldown, consent or quiet hours make it wait; or there is nothing to tell."""


class _Watched:
    """A trigger, compiled."""

    def __init__(self, rule: Trigger, signal: Signal, local: Local) -> None:
        self.rule, self.signal = rule, signal
        self.quiet = Quiet(rule.quiet, local) if rule.quiet else None


class Triggers:
    """Every trigger of the rules. State is in the rows alone.

    Raises:
        ValueError: on construction, a trigger watches a score that no rule adds to.
    """

    def __init__(
        self,
        rules: TriggerRules,
        story: Story,
        local: Local,
        score_marks: Mapping[str, Collection[float]] = _NONE,
        strength: Strength = EQUAL,
    ) -> None:
        """``score_marks``: by score, what segments wait for. ``strength``: of the anchors that keep episodes."""
        scores = story.scores
        for rule in rules.triggers:
            if rule.score not in scores.names():
                msg = f"trigger {rule.name!r} watches score {rule.score!r}: no score rule adds to it"
                raise ValueError(msg)
        signals: list[tuple[Trigger, Signal]] = [(rule, ScoreSignal(rule, scores)) for rule in rules.triggers]
        signals += [(rule, SegmentSignal(rule)) for rule in rules.segment_triggers]
        self._watched = tuple(_Watched(rule, signal, local) for rule, signal in signals)
        self._marks = tuple(ScoreMarks(score, marks, scores) for score, marks in score_marks.items())
        self._story, self._strength = story, strength

    def claim(self, row: ProfileRow) -> None:
        """What fired on a device is the person's who is now known there."""
        if any(ledger.episodes for ledger in row.leaves.values()):
            claim(row, self._strength)

    def look(self, profile_id: str, row: ProfileRow, as_of_ms: int) -> list[dict[str, Any]]:
        """Re-arm and fire what is to be; note in the row when, and after how many points, to look again."""
        actions: list[dict[str, Any]] = []
        due_ms = headroom = FOREVER
        for watched in self._watched:
            turn = self._step(watched, profile_id, row, as_of_ms, actions)
            due_ms, headroom = min(due_ms, turn.due_ms), min(headroom, turn.headroom)
        for marks in self._marks:
            turn = marks.turn(row, as_of_ms)
            due_ms, headroom = min(due_ms, turn.due_ms), min(headroom, turn.headroom)
        row.triggers_due_ms, row.headroom = max(due_ms, as_of_ms + 1), headroom
        return actions

    def bearings(self, row: ProfileRow, as_of_ms: int) -> dict[str, Bearing]:
        """Where every trigger stands, by name, after a :meth:`look` at that moment. Changes nothing."""
        return {watched.rule.name: _bearing(watched, row, as_of_ms) for watched in self._watched}

    def reconcile(self, profile_id: str, row: ProfileRow, as_of_ms: int) -> list[dict[str, Any]]:
        """Of several open episodes the earliest opened is the lead; each of the others duplicates it.

        Of each that is told which has not last been said of it. A duplicate has the id of the lead to close, and names
        the one that stays; what was a duplicate and leads now, as others have gone, is a lead again.
        """
        actions: list[dict[str, Any]] = []
        for watched in self._watched:
            rule = watched.rule
            leading = ""
            for _, leaf, episode in sorted(opened(row, rule.name), key=lambda each: each[:2]):
                name = action_id(row.tenant, leaf, rule.name, episode.number)
                if episode.duplicate_of != leading:
                    episode.duplicate_of = leading
                    action = action_of(profile_id, row, rule, self._story, as_of_ms)
                    action["action_id"], action["episode"] = name, episode.number
                    if leading:
                        action["kind"], action["duplicate_of"] = DUPLICATE, leading
                    actions.append(action)
                leading = leading or name
        return actions

    def _step(
        self, watched: _Watched, profile_id: str, row: ProfileRow, as_of_ms: int, actions: list[dict[str, Any]]
    ) -> Turn:
        """Take one trigger as far as it goes now; when to look again."""
        rule, signal = watched.rule, watched.signal
        standing, until_ms = standing_of(rule, row, as_of_ms)
        if standing in {"open", "unarmed"}:
            turn = signal.re_arms(row, as_of_ms)
            if not turn.come:
                return turn
            if standing == "open":
                close(row, rule.name, as_of_ms)
            else:
                arm(row, rule.name, as_of_ms, self._strength)
            standing, until_ms = standing_of(rule, row, as_of_ms)
        if standing != "armed":
            return Turn(come=False, due_ms=until_ms)
        turn = signal.fires(row, as_of_ms)
        if not turn.come:
            return turn
        if not _permitted(rule, row):
            return _LOOK_ALWAYS  # armed: it fires once consent is there, if the signal still holds
        quiet_ms = watched.quiet.ends_ms(as_of_ms) if watched.quiet else 0
        if quiet_ms:
            return Turn(come=False, due_ms=quiet_ms)
        actions.append(self._fire(rule, profile_id, row, as_of_ms))
        return self._step(watched, profile_id, row, as_of_ms, actions)

    def _fire(self, rule: Trigger, profile_id: str, row: ProfileRow, as_of_ms: int) -> dict[str, Any]:
        leaf, number = open_next(row, rule.name, as_of_ms, self._strength)
        action = action_of(profile_id, row, rule, self._story, as_of_ms)
        action["action_id"], action["episode"] = action_id(row.tenant, leaf, rule.name, number), number
        return action


def _permitted(rule: Trigger, row: ProfileRow) -> bool:
    return not rule.consent or permits(consent_of(row.ledgers()), rule.consent, asked=rule.consent_asked)


def _bearing(watched: _Watched, row: ProfileRow, as_of_ms: int) -> Bearing:
    """An armed trigger whose signal holds would have fired in the look before, if neither of two things held it up."""
    standing, _ = standing_of(watched.rule, row, as_of_ms)
    if standing == "open":
        return "open"
    if standing == "spent":
        return "spent"
    if standing == "unarmed" or not watched.signal.fires(row, as_of_ms).come:
        return "idle"
    if standing == "cooling":
        return "cooldown"
    return "quiet_hours" if _permitted(watched.rule, row) else "consent"
