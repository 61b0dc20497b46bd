"""Names of all stages and topics. Docs, the AsyncAPI file, dashboards and tests read these lists."""

from enum import StrEnum
from typing import Literal

import msgspec

from pipeline.event.model import CHANNELS


class StageName(StrEnum):
    """The stages in processing order, as named in settings, metrics, state folders and changelog topics."""

    INTAKE = "intake"
    STITCH = "stitch"
    PROFILE = "profile"
    ROUTE = "route"


class Topic(msgspec.Struct, frozen=True, eq=False):
    """A topic, named without the deployment's prefix. Only a breaking change of its schema changes the version."""

    name: str
    key: str
    value: str
    """Name of the Avro schema in ``schemas/``, or "msgpack" for internal topics, or "bytes" for the DLQ."""
    cleanup: Literal["delete", "compact"] = "delete"

    def of(self, prefix: str) -> str:
        """Returns the topic's name on the broker."""
        return f"{prefix}.{self.name}"


EVENTS = {channel: Topic(f"events.{channel}.v1", "anchor", f"event-{channel}") for channel in CHANNELS}
DLQ = Topic("events.dlq.v1", "as received", "bytes")
FORWARDS = Topic("events.forwards.v1", "anchor", "msgpack")
LINKS = Topic("identity.links.v1", "tenant", "msgpack")
ASSIGNMENTS = Topic("identity.assignments.v1", "tenant/identifier", "msgpack", "compact")
CHANGES = Topic("identity.changes.v1", "profile id", "identity-change")
TOUCHES = Topic("profile.touches.v1", "profile id", "msgpack")
UPDATES = Topic("profile.updates.v1", "profile id", "profile-update", "compact")
SEGMENTS = Topic("segment.changes.v1", "profile id", "segment-change")
LEADS = Topic("crm.leads.v1", "tenant", "msgpack")
ACTIONS = Topic("crm.actions.v1", "profile id", "crm-action")
ACTION_DLQ = Topic("crm.dlq.v1", "as received", "bytes")
LEDGER = Topic("crm.ledger.v1", "sink/tenant/action id", "crm-ledger", "compact")
READERS = Topic("crm.readers.v1", "connection/cursor/stream or connection/type/object id", "msgpack", "compact")
MARKS = Topic("privacy.marks.v1", "tenant/request", "msgpack", "compact")
RECEIPTS = Topic("privacy.receipts.v1", "tenant/request/stage/partition", "msgpack", "compact")
CHANGELOGS: dict[str, Topic] = {
    stage: Topic(f"state.{stage}.v1", "table and row key", "msgpack", "compact") for stage in StageName
}
"""Stage to the changelog of its state."""

INPUTS: dict[StageName, tuple[Topic, ...]] = {
    StageName.INTAKE: (*EVENTS.values(), FORWARDS, ASSIGNMENTS),
    StageName.STITCH: (LINKS,),
    StageName.PROFILE: (TOUCHES,),
    StageName.ROUTE: (LEADS,),
}
"""Stage to the topics it reads."""

ALL: tuple[Topic, ...] = (
    *EVENTS.values(), DLQ, FORWARDS, LINKS, ASSIGNMENTS, CHANGES, TOUCHES, UPDATES, SEGMENTS, LEADS, ACTIONS,
    ACTION_DLQ, LEDGER, READERS, MARKS, RECEIPTS,
    *CHANGELOGS.values(),
)  # fmt: skip
