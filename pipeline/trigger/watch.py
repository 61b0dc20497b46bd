"""The triggers of one profile: arming, firing, and reconciling episodes after a merge.

A trigger is a state machine: unarmed -> armed -> open (fired) -> armed. Cooldown, quiet hours and missing consent delay
an armed trigger. Each evaluation returns the next due time and the headroom: the number of points that can be given
before any trigger can change its state.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from pipeline.profile.fold import consent_of, permits
from pipeline.profile.records import Lead
from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.segment.facts import Facts
from pipeline.segment.score import trajectory_of
from pipeline.trigger.action import ActionContext, Firing, action_id, lead_of
from pipeline.trigger.episodes import EQUAL, Strength, arm, claim, close, episode_state, open_next, opened
from pipeline.trigger.quiet import Local, Quiet
from pipeline.trigger.rules import SegmentTrigger, Trigger, TriggerRules
from pipeline.trigger.signals import ScoreSignal, ScoreThresholds, SegmentSignal, Signal, SignalCheck

_NONE: Final[Mapping[str, Collection[float]]] = {}
_EVALUATE_ALWAYS: Final = SignalCheck(holds=False, headroom=0)
"""Headroom 0 makes every touch evaluate the triggers."""

TriggerState: TypeAlias = Literal["open", "spent", "cooldown", "consent", "quiet_hours", "idle"]
"""The state of a trigger after an evaluation.

``open``: fired and not armed again. ``spent``: fired, and fires only once. ``cooldown``, ``consent``, ``quiet_hours``:
its condition holds, but this delays it. ``idle``: its condition does not hold."""


class _CompiledTrigger:
    """A trigger with its signal and quiet hours."""

    def __init__(self, rule: Trigger, signal: Signal, local: Local) -> None:
        self.rule, self.signal = rule, signal
        self.quiet = Quiet(rule.quiet, local) if rule.quiet else None


class Triggers:
    """Every trigger of the rules. All state is in the profile rows.

    Raises:
        ValueError: on construction, if a trigger watches a score that no rule adds to.
    """

    def __init__(
        self,
        rules: TriggerRules,
        context: ActionContext,
        local: Local,
        score_thresholds: Mapping[str, Collection[float]] = _NONE,
        strength: Strength = EQUAL,
    ) -> None:
        """``score_thresholds``: the thresholds in segment conditions, by score.

        ``strength`` orders the anchors whose ledgers store episodes.
        """
        scores = context.scores
        for rule in rules.triggers:
            if rule.score not in scores.names():
                msg = f"trigger {rule.name!r} watches score {rule.score!r}: no score rule adds to it"
                raise ValueError(msg)
        signals: list[tuple[Trigger, Signal]] = [(rule, ScoreSignal(rule, scores)) for rule in rules.triggers]
        signals += [(rule, SegmentSignal(rule)) for rule in rules.segment_triggers]
        self._compiled = tuple(_CompiledTrigger(rule, signal, local) for rule, signal in signals)
        self._by_segment: dict[str, list[_CompiledTrigger]] = {}
        for compiled in self._compiled:
            if isinstance(compiled.rule, SegmentTrigger):
                self._by_segment.setdefault(compiled.rule.segment, []).append(compiled)
        self._thresholds = tuple(
            ScoreThresholds(score, thresholds, scores) for score, thresholds in score_thresholds.items()
        )
        self._context, self._strength = context, strength

    def claim(self, row: ProfileRow) -> None:
        """Moves episodes that fired on a device to the person now known there."""
        if any(ledger.episodes for ledger in row.anchors.values()):
            claim(row, self._strength)

    def evaluate(self, profile_id: str, row: ProfileRow, facts: Facts) -> list[Lead]:
        """Arms and fires triggers. Stores in the row the next due time and the headroom. Returns the leads."""
        leads: list[Lead] = []
        check = self._step_all(self._compiled, profile_id, row, facts, leads)
        row.schedule.set_triggers(check.due_ms, min(check.headroom, self._headroom(facts)))
        return leads

    def evaluate_changed(self, profile_id: str, row: ProfileRow, facts: Facts, segments: Iterable[str]) -> list[Lead]:
        """Evaluates only the triggers on segments that were entered or left, while no other can change its state."""
        leads: list[Lead] = []
        compiled = [trigger for name in segments for trigger in self._by_segment.get(name, ())]
        if compiled:
            check = self._step_all(compiled, profile_id, row, facts, leads)
            schedule = row.schedule
            schedule.set_triggers(min(schedule.triggers_due_ms, check.due_ms), min(schedule.headroom, check.headroom))
        return leads

    def limit_headroom(self, row: ProfileRow, facts: Facts) -> None:
        """Limits the headroom so that triggers are evaluated before a score reaches a segment's new threshold."""
        schedule = row.schedule
        schedule.set_triggers(schedule.triggers_due_ms, min(schedule.headroom, self._headroom(facts)))

    def trigger_states(self, row: ProfileRow, facts: Facts) -> dict[str, TriggerState]:
        """Returns the state of every trigger, by name, after an :meth:`evaluate` at that moment. Changes nothing."""
        return {compiled.rule.name: _trigger_state(compiled, row, facts) for compiled in self._compiled}

    def reconcile(self, profile_id: str, row: ProfileRow, as_of_ms: int) -> list[Lead]:
        """Makes the earliest of several open episodes the lead, and the others duplicates of it.

        Emits an action only for episodes whose last published role has changed. The action of a duplicate has the
        action id of the lead to close and names the lead that replaces it. A duplicate becomes a lead again if it is
        now the earliest, because earlier episodes have moved to another profile.
        """
        leads: list[Lead] = []
        for compiled in self._compiled:
            rule = compiled.rule
            leading = ""
            for _, anchor, episode in sorted(opened(row, rule.name), key=lambda open_episode: open_episode[:2]):
                name = action_id(row.tenant, anchor, rule.name, episode.number)
                if episode.duplicate_of != leading:
                    episode.duplicate_of = leading
                    firing = Firing(rule, name, episode.number, leading)
                    leads.append(lead_of(profile_id, row, firing, self._context, as_of_ms))
                leading = leading or name
        return leads

    def _headroom(self, facts: Facts) -> int:
        return min([thresholds.headroom(facts) for thresholds in self._thresholds], default=FOREVER)

    def _step_all(
        self, triggers: Sequence[_CompiledTrigger], profile_id: str, row: ProfileRow, facts: Facts, leads: list[Lead]
    ) -> SignalCheck:
        """Advances triggers as far as possible. Returns the due time and headroom within which none changes."""
        due_ms = headroom = FOREVER
        thresholds: dict[str, list[float]] = {}
        for compiled in triggers:
            check = self._step(compiled, profile_id, row, facts, leads)
            due_ms, headroom = min(due_ms, check.due_ms), min(headroom, check.headroom)
            if check.threshold is not None:
                thresholds.setdefault(compiled.rule.score, []).append(check.threshold)
        for score, crossed in thresholds.items():
            due_ms = min(due_ms, trajectory_of(facts, self._context.scores, score).due_ms(crossed))
        return SignalCheck(holds=False, due_ms=max(due_ms, facts.as_of_ms + 1), headroom=headroom)

    def _step(
        self, compiled: _CompiledTrigger, profile_id: str, row: ProfileRow, facts: Facts, leads: list[Lead]
    ) -> SignalCheck:
        """Advances one trigger as far as possible at this moment. Returns the bounds of the next evaluation."""
        rule, signal, as_of_ms = compiled.rule, compiled.signal, facts.as_of_ms
        state, until_ms = episode_state(rule, row, as_of_ms)
        if state in {"open", "unarmed"}:
            check = signal.re_arms(row, facts)
            if not check.holds:
                return check
            if state == "open":
                close(row, rule.name, as_of_ms)
            else:
                arm(row, rule.name, as_of_ms, self._strength)
            state, until_ms = episode_state(rule, row, as_of_ms)
        if state != "armed":
            return SignalCheck(holds=False, due_ms=until_ms)
        check = signal.fires(row, facts)
        if not check.holds:
            return check
        if not _permitted(rule, row):
            return _EVALUATE_ALWAYS  # it fires as soon as consent is granted, if the signal still holds
        quiet_ms = compiled.quiet.ends_ms(as_of_ms) if compiled.quiet else 0
        if quiet_ms:
            return SignalCheck(holds=False, due_ms=quiet_ms)
        leads.append(self._fire(rule, profile_id, row, as_of_ms))
        return self._step(compiled, profile_id, row, facts, leads)

    def _fire(self, rule: Trigger, profile_id: str, row: ProfileRow, as_of_ms: int) -> Lead:
        anchor, number = open_next(row, rule.name, as_of_ms, self._strength)
        firing = Firing(rule, action_id(row.tenant, anchor, rule.name, number), number)
        return lead_of(profile_id, row, firing, self._context, as_of_ms)


def _permitted(rule: Trigger, row: ProfileRow) -> bool:
    return not rule.consent or permits(consent_of(row.ledgers()), rule.consent, must_be_granted=rule.consent_required)


def _trigger_state(compiled: _CompiledTrigger, row: ProfileRow, facts: Facts) -> TriggerState:
    """Returns the state of a trigger, given that it has just been evaluated."""
    # An armed trigger whose signal holds would have fired, so either quiet hours or missing consent delays it.
    state, _ = episode_state(compiled.rule, row, facts.as_of_ms)
    if state == "open":
        return "open"
    if state == "spent":
        return "spent"
    if state == "unarmed" or not compiled.signal.fires(row, facts).holds:
        return "idle"
    if state == "cooling":
        return "cooldown"
    return "quiet_hours" if _permitted(compiled.rule, row) else "consent"
