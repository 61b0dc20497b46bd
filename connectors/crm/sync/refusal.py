"""The quarantined record of values that a CRM refused. It names the object, never a value."""

import msgspec

from connectors.crm.action_log import Refusal
from connectors.crm.sync.target import Target
from pipeline.event.reason import Reason
from pipeline.kafka.record import Header


class RefusedValues(msgspec.Struct, frozen=True):
    """Implements :class:`~pipeline.kafka.record.Record`. Its topic is that of the profiles, so no replay sends it."""

    of_topic: str
    target: Target

    def topic(self) -> str:
        """Returns the topic of the profile updates."""
        return self.of_topic

    def partition(self) -> int:
        """Returns 0: the record is no copy of another one."""
        return 0

    def offset(self) -> int:
        """Returns 0: the record is no copy of another one."""
        return 0

    def key(self) -> bytes:
        """Returns the profile id."""
        return self.target.profile_id.encode()

    def value(self) -> bytes:
        """Returns a JSON document with the object and the names of its fields."""
        target = self.target
        return msgspec.json.encode({
            "tenant": target.tenant, "profile_id": target.profile_id, "object": target.object,
            "object_id": target.object_id, "fields": sorted(target.changed or ()),
        })  # fmt: skip

    def headers(self) -> list[Header]:
        """Returns no headers."""
        return []


def refusal_of(topic: str, target: Target, reason: Reason, words: str) -> Refusal:
    """Returns the refusal of a target's values."""
    return Refusal(RefusedValues(topic, target), reason, f"{', '.join(sorted(target.changed or ()))}: {words}")
