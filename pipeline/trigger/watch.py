"""Triggers over one profile: re-arm, fire, and join what was fired apart.

An episode is booked in one ledger of the profile, so that a merge or split hands it over with everything else: in the
founder's (the leaf the profile id is made of) where that has a ledger, else in the first leaf by text. The profile's
state of a trigger is read from all its ledgers: open if any episode is open. Closing closes them all.
"""

from typing import Any, Final, Literal, NamedTuple

from pipeline.event.identifier import Identifier
from pipeline.identity.profile_id import profile_id as profile_id_of
from pipeline.profile.fold import consent_of, permits
from pipeline.profile.ledger import Episode
from pipeline.profile.row import ProfileRow
from pipeline.score.scorer import Scores
from pipeline.trigger.action import DUPLICATE, action_id, action_of
from pipeline.trigger.rules import TriggerRule, TriggerRules

FOREVER: Final = 1 << 60
"""Longer than any profile is watched, in milliseconds or points."""


class Held(NamedTuple):
    """An episode and the leaf whose ledger keeps it; the earliest opened sorts first."""

    opened_ms: int
    leaf: Identifier
    episode: Episode


class Triggers:
    """The watcher the profile asks for. State is in the rows alone."""

    def __init__(self, rules: TriggerRules, scores: Scores, fingerprint: int) -> None:
        for rule in rules.triggers:
            if rule.score not in scores.names():
                msg = f"trigger {rule.name!r} watches score {rule.score!r}: no score rule adds to it"
                raise ValueError(msg)
        self._rules, self._scores, self._fingerprint = rules.triggers, scores, fingerprint

    def before(self, row: ProfileRow, as_of_ms: int) -> None:
        """Close the open episodes whose score is below the low mark."""
        if row.watched_by != self._fingerprint:
            row.watched_by = self._fingerprint
            row.unwatch()
        if as_of_ms >= row.rearm_due_ms:
            row.rearm_due_ms = self._rearm(row, as_of_ms)

    def after(self, profile_id: str, row: ProfileRow, as_of_ms: int, points: tuple[int, int]) -> list[dict[str, Any]]:
        """Open an episode for every armed trigger whose score is at or above the high mark."""
        given, taken = points
        if taken:
            row.rearm_due_ms = 0
        row.headroom -= given
        return self._fire(profile_id, row, as_of_ms) if row.headroom <= 0 else []

    def joined(self, profile_id: str, row: ProfileRow, as_of_ms: int) -> list[dict[str, Any]]:
        """Of several open episodes the earliest opened leads; each of the others is said to duplicate it, once.

        The action has the id of the lead to close, and names the one that stays.
        """
        row.unwatch()
        actions: list[dict[str, Any]] = []
        for rule in self._rules:
            held = sorted(opened(row, rule.name), key=lambda each: each[:2])
            for _, leaf, episode in held[1:]:
                leading = action_id(row.tenant, held[0].leaf, rule.name, held[0].episode.number)
                if episode.duplicate_of != leading:
                    episode.duplicate_of = leading
                    action = action_of(profile_id, row, rule, self._scores, as_of_ms)
                    action["action_id"] = action_id(row.tenant, leaf, rule.name, episode.number)
                    action["episode"] = episode.number
                    action["kind"], action["duplicate_of"] = DUPLICATE, leading
                    actions.append(action)
        self.before(row, as_of_ms)
        return actions + self._fire(profile_id, row, as_of_ms)

    def _rearm(self, row: ProfileRow, as_of_ms: int) -> int:
        """Until when no other episode can close."""
        due_ms = FOREVER
        for rule in self._rules:
            held = opened(row, rule.name)
            if not held:
                continue
            outlook = self._scores.outlook(rule.score, row.ledgers(), as_of_ms)
            if outlook.value() < rule.low:
                row.headroom = 0
                for at, _, episode in held:
                    episode.closed_ms = max(as_of_ms, at)
            else:
                due_ms = min(due_ms, as_of_ms + outlook.stays_above_ms(rule.low))
        return due_ms

    def _fire(self, profile_id: str, row: ProfileRow, as_of_ms: int) -> list[dict[str, Any]]:
        actions = []
        headroom = FOREVER
        for rule in self._rules:
            standing = _standing(rule, row, as_of_ms)
            if standing == "cooling":
                headroom = 0
            elif standing == "armed":
                outlook = self._scores.outlook(rule.score, row.ledgers(), as_of_ms)
                if outlook.value() >= rule.high:
                    if not _permitted(rule, row):
                        headroom = 0
                        continue
                    actions.append(self._open(rule, profile_id, row, as_of_ms))
                else:
                    headroom = min(headroom, outlook.headroom(rule.high))
        row.headroom = headroom
        return actions

    def _open(self, rule: TriggerRule, profile_id: str, row: ProfileRow, as_of_ms: int) -> dict[str, Any]:
        leaf = booking_leaf(profile_id, row)
        episodes = row.leaves[leaf].episodes
        number = episodes[rule.name].number + 1 if rule.name in episodes else 1
        episodes[rule.name] = Episode(number, as_of_ms)
        row.rearm_due_ms = 0
        action = action_of(profile_id, row, rule, self._scores, as_of_ms)
        action["action_id"] = action_id(row.tenant, leaf, rule.name, number)
        action["episode"] = number
        return action


def _standing(rule: TriggerRule, row: ProfileRow, as_of_ms: int) -> Literal["armed", "open", "cooling"]:
    standing: Literal["armed", "cooling"] = "armed"
    for ledger in row.leaves.values():
        episode = ledger.episodes.get(rule.name)
        if episode is not None:
            if not episode.closed_ms:
                return "open"
            if as_of_ms < episode.opened_ms + rule.cooldown_ms:
                standing = "cooling"
    return standing


def _permitted(rule: TriggerRule, row: ProfileRow) -> bool:
    """Without consent a trigger waits, armed: it fires once consent is there and the score still high."""
    return not rule.consent or permits(consent_of(row.ledgers()), rule.consent, asked=rule.consent_asked)


def opened(row: ProfileRow, trigger: str) -> list[Held]:
    """The open episodes of a trigger in a profile."""
    return [
        Held(episode.opened_ms, leaf, episode)
        for leaf, ledger in row.leaves.items()
        if (episode := ledger.episodes.get(trigger)) is not None and not episode.closed_ms
    ]


def booking_leaf(profile_id: str, row: ProfileRow) -> Identifier:
    """The leaf whose ledger takes a new episode: the founder's if it has one, else the first by text."""
    for leaf in row.leaves:
        if profile_id_of(row.tenant, leaf) == profile_id:
            return leaf
    return min(row.leaves)
