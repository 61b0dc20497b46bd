"""Validation of records on the internal identity topics, beyond the types of their fields."""

from pipeline.event.identifier import is_identifier, split_key
from pipeline.event.validate import is_tenant
from pipeline.identity.messages import Assignment, Command, Link

BOTH_ENDS = frozenset({"link", "unlink"})
"""Kinds of commands that need two identifiers; a log-out may name the device alone."""


def fault_of(_key: str, message: Link | Command) -> str:
    """Returns the fault of a link or command, or "" if it is valid. The text quotes no content of the message."""
    if not is_tenant(message.tenant):
        return "tenant: not the name of a tenant"
    if isinstance(message, Link):
        if not (is_identifier(message.anchor) and is_identifier(message.other)):
            return "anchor, other: not identifiers"
        if message.anchor == message.other:
            return "anchor, other: the same identifier"
        times_are_sound = 0 <= message.first_seen_ms <= message.last_seen_ms
        return "" if times_are_sound and message.count > 0 else "first_seen_ms, last_seen_ms, count: out of order"
    if not is_identifier(message.a) or not (
        is_identifier(message.b) or (not message.b and message.kind not in BOTH_ENDS)
    ):
        return "a, b: not identifiers"
    return "" if message.timestamp_ms >= 0 else "timestamp_ms: below zero"


def assignment_fault(key: str, assignment: Assignment) -> str:
    """Returns the fault of an assignment under its key, or "" if it is valid."""
    tenant, ident = split_key(key)
    if not (is_tenant(tenant) and is_identifier(ident)):
        return "key: not a tenant and an identifier"
    if not (assignment.profile_id and assignment.seq >= 0):
        return "profile_id, seq: empty or below zero"
    return "" if all(map(is_identifier, assignment.contested)) else "contested: not identifiers"
