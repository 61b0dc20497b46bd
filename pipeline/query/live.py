"""The live state of a deployment, folded from the public topics: what ``top`` and the demo's screen show."""

from collections.abc import Callable, Iterable
from typing import Any, Final, Self, TypeAlias

import confluent_kafka
import msgspec

from pipeline.avro.registry import SchemaIds, schema_ids
from pipeline.avro.wire import Decoder, Undecodable
from pipeline.kafka.follow import Follower
from pipeline.query.lead import display_name, is_duplicate, strongest
from pipeline.query.published_rules import NewestRules
from pipeline.settings import Settings
from pipeline.topics import ACTIONS, CHANGES, DLQ, UPDATES

UNTIL_NOW_SECONDS: Final = 5.0

OnUpdate: TypeAlias = Callable[[dict[str, Any]], None]
"""Called with every profile update, for callers that need more of it than the board keeps."""


class HotLead(msgspec.Struct, frozen=True):
    """An open lead with the customer's current score."""

    name: str
    score: float
    identifier: str
    identifiers: int
    timestamp_ms: int
    """When the lead was opened."""


class Counts(msgspec.Struct, frozen=True):
    """The totals that the screen shows."""

    customers: int
    """Active profiles."""
    merges: int
    leads: int
    """Opened leads, without those closed as duplicates."""
    duplicates: int
    quarantined: int
    """Records in the DLQ."""


class LeadBoard:
    """Folds profile updates, identity changes, CRM actions and the DLQ. Takes about 200 bytes per customer.

    Skips records that this version cannot read and counts them in ``unreadable``: a display must not stop at them.
    """

    def __init__(self, ids: SchemaIds, prefix: str, *, on_update: OnUpdate = lambda _update: None) -> None:
        self.actions: dict[str, dict[str, Any]] = {}
        """Actions that opened a lead, by action id, in the order read."""
        self.unreadable = 0
        self._on_update = on_update
        self._updates, self._changes = UPDATES.of(prefix), CHANGES.of(prefix)
        self._actions_topic, self._dlq = ACTIONS.of(prefix), DLQ.of(prefix)
        self.topics = (self._updates, self._changes, self._actions_topic, self._dlq)
        self._decoders = {topic.of(prefix): Decoder(topic.value, ids.writer) for topic in (UPDATES, CHANGES, ACTIONS)}
        self._scores: dict[str, float] = {}
        """Active profile id to the highest of its scores, as last published."""
        self._current_ids: dict[str, str] = {}
        """Merged profile id to the id it was merged into."""
        self._closed: set[str] = set()
        """Action ids of leads whose highest revision closes them as duplicates."""
        self._revisions: dict[str, int] = {}
        """Action id to its highest revision so far."""
        self._merges = self._quarantined = 0
        self.rules = NewestRules()
        """Of the profile updates."""

    def feed(self, messages: Iterable[confluent_kafka.Message]) -> list[dict[str, Any]]:
        """Folds the records. Returns the CRM actions among them, decoded, in order."""
        actions = []
        for message in messages:
            topic, value = message.topic() or "", message.value()
            if topic == self._dlq:
                self._quarantined += 1
            elif value is not None:
                record = self._read(topic, bytes(value))
                if record is not None and self._fold(topic, record):
                    actions.append(record)
        return actions

    def counts(self) -> Counts:
        """Returns the current totals."""
        closed = sum(action_id in self.actions for action_id in self._closed)
        return Counts(len(self._scores), self._merges, len(self.actions) - closed, len(self._closed), self._quarantined)

    def hottest(self, limit: int) -> list[HotLead]:
        """Returns the open leads by falling current score of their customers, at most one lead per customer."""
        by_owner = {
            self.owner(action["profile_id"]): action
            for action_id, action in self.actions.items()
            if action_id not in self._closed
        }
        scored = [(self._scores.get(owner, action["score"]), action) for owner, action in by_owner.items()]
        scored.sort(key=lambda pair: (-pair[0], pair[1]["action_id"]))
        return [
            HotLead(display_name(action), score, strongest(action), len(action["identifiers"]), action["timestamp_ms"])
            for score, action in scored[:limit]
        ]

    def owner(self, profile_id: str) -> str:
        """Returns the current profile of an id, following the published merges."""
        seen = {profile_id}
        while (further := self._current_ids.get(profile_id)) and further not in seen:
            seen.add(further)
            profile_id = further
        return profile_id

    def _read(self, topic: str, value: bytes) -> dict[str, Any] | None:
        try:
            return self._decoders[topic](value)
        except Undecodable:
            self.unreadable += 1
            return None

    def _fold(self, topic: str, record: dict[str, Any]) -> bool:
        """Folds one record. Returns whether it is a CRM action."""
        if topic == self._updates:
            self._profile(record)
            self.rules.feed(record)
            self._on_update(record)
        elif topic == self._changes:
            self._merges += record["change"] == "merged"
        else:
            self._fold_action(record)
        return topic == self._actions_topic

    def _fold_action(self, action: dict[str, Any]) -> None:
        """Folds one action. Actions of a lead arrive in any order: the highest revision decides whether it is open."""
        name, revision = action["action_id"], action["revision"]
        duplicate = is_duplicate(action)
        if not duplicate:
            self.actions.setdefault(name, action)
        if revision > self._revisions.get(name, 0):
            self._revisions[name] = revision
            if duplicate:
                self._closed.add(name)
            else:
                self._closed.discard(name)

    def _profile(self, update: dict[str, Any]) -> None:
        profile_id = update["profile_id"]
        if update["status"] == "active":
            self._scores[profile_id] = max(update["scores"].values(), default=0.0)
            self._current_ids.pop(profile_id, None)
            return
        self._scores.pop(profile_id, None)
        if update["merged_into"]:
            self._current_ids[profile_id] = update["merged_into"]


class Live:
    """A board that follows the topics from their beginning.

    Raises:
        MissingTopicError: a topic does not exist.
        RegistryError: the schema registry did not answer or refused.
        KafkaException: the broker did not answer or refused.
    """

    def __init__(self, settings: Settings, board: LeadBoard | None = None) -> None:
        self.board = board or LeadBoard(schema_ids(settings.schema_registry_url), settings.topic_prefix)
        self._follower = Follower(settings.kafka(), self.board.topics, from_start=True)
        try:
            self._start = self._follower.ends()
        except BaseException:
            self._follower.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._follower.close()

    @property
    def has_caught_up(self) -> bool:
        """Returns whether the board contains every record that existed when the topics were opened."""
        return self._follower.has_reached(self._start)

    def poll(self, seconds: float) -> list[dict[str, Any]]:
        """Folds the records that arrive within ``seconds``. Returns the CRM actions among them."""
        return self.board.feed(self._follower.poll(seconds))

    def until_now(self) -> list[dict[str, Any]]:
        """Folds all records up to the current ends of the topics. Returns the CRM actions among them."""
        return self.board.feed(self._follower.until_now(UNTIL_NOW_SECONDS))
