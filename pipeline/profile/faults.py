"""Validation of records on the internal profile topics, beyond the types of their fields."""

import msgspec

from pipeline.event.erasure import Marking
from pipeline.event.identifier import is_identifier
from pipeline.event.validate import is_tenant
from pipeline.profile.ledger import decode_ledger
from pipeline.profile.messages import Carry, IdentifierOwnership, Move, Touch
from pipeline.profile.records import Lead


def fault_of(key: str, message: Touch | Move | Carry | IdentifierOwnership) -> str:
    """Returns the fault of a message to PROFILE, or "" if it is valid. The text quotes no content of the message."""
    if not key:
        return "key: not a profile id"
    if not is_tenant(message.tenant):
        return "tenant: not the name of a tenant"
    if isinstance(message, Touch):
        if not message.identifiers:
            return "anchor, identifiers: not identifiers"
        for ident in (message.anchor, *message.identifiers):
            if not 0 < ident.find(":") < len(ident) - 1:  # is_identifier, without a call for each of a touch
                return "anchor, identifiers: not identifiers"
        return "" if message.timestamp_ms >= 0 else "timestamp_ms: below zero"
    if isinstance(message, IdentifierOwnership):
        return "" if all(map(is_identifier, (message.anchor, *message.owned))) else "anchor, owned: not identifiers"
    if isinstance(message, Move):
        return "" if message.anchors and all(map(is_identifier, message.anchors)) else "anchors: not identifiers"
    if not all(map(is_identifier, message.ledgers)):
        return "ledgers: not under identifiers"
    try:
        for ledger in message.ledgers.values():
            decode_ledger(ledger)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"ledgers: {type(error).__name__}"
    return ""


def lead_fault(_key: str, lead: Lead | Marking) -> str:
    """Returns the fault of a message to ROUTE, or "" if it is valid."""
    if not is_tenant(lead.tenant):
        return "tenant: not the name of a tenant"
    if isinstance(lead, Marking):
        return "" if lead.request else "request: empty"
    return "" if lead.action.action_id and lead.action.profile_id else "action: no id"
