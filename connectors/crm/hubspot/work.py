"""One action on its way into HubSpot, and the properties that it writes. Pure."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import msgspec

from connectors.crm.ledger_row import LedgerRow, value_hash
from connectors.crm.sink import Action, Outcome
from connectors.crm.values import action_value, last_touch, number_text
from pipeline.rules.crm import CrmConnection

KEY: Final = "stitchline_action"
REVISION: Final = "stitchline_revision"
NOTE_KEY: Final = "stitchline_note"
OWNER: Final = "hubspot_owner_id"
ALWAYS, IF_BLANK, UNTIL_EDITED = "always", "if_blank", "until_edited"
NOTE_HASH: Final = "stitchline_note"
"""Name under which the ledger row holds the hash of the note."""


class Owner(NamedTuple):
    """The owner that a contact gets."""

    id: str
    """HubSpot's owner id; "" leaves the owner as it is."""
    reason: str
    """Why, for the representative."""


class Wish(NamedTuple):
    """A value for a property, and when it is written."""

    value: str
    write: str


class Work(msgspec.Struct, eq=False):
    """One action of a batch."""

    action: Action
    owner: Owner
    row: LedgerRow | None = None
    """The action's row in the ledger."""
    contact_id: str = ""
    """The contact that is written; "" creates one under the action id."""
    current: Mapping[str, str | None] | None = None
    """What HubSpot holds before the write; None if it holds nothing, or was not read yet."""
    sent: dict[str, str] = {}
    """What is written to the contact."""
    reason: str = ""
    """Why this is a lead, or which contact it duplicates."""
    remark: str = ""
    note_id: str = ""
    outcome: Outcome | None = None

    @property
    def is_own(self) -> bool:
        """Whether the contact carries this action's id, or none: its bookkeeping is about this action."""
        return self.current is None or (self.current.get(KEY) or "") in {"", self.action.action_id}

    @property
    def is_overtaken(self) -> bool:
        """Whether the contact carries a higher revision of this action."""
        current = self.current or {}
        held = current.get(REVISION) or ""
        return current.get(KEY) == self.action.action_id and held.isdecimal() and int(held) > self.action.revision


def owner_of(action: Action, connection: CrmConnection, known: Collection[str]) -> Owner:
    """Returns the owner of an action: the representative's, if HubSpot has it as active, else the fallback."""
    rep, reason = action_value(action, "owner"), action_value(action, "owner_reason")
    if not rep:
        return Owner("", reason)
    ids = {owner.rep: owner.id for owner in connection.owners}
    wanted = ids.get(rep, "")
    if wanted in known:
        return Owner(wanted, reason)
    problem = f"{rep} is not active in HubSpot" if wanted else f"{rep} has no owner id in crm.yaml"
    fallback = connection.fallback_owner if connection.fallback_owner in known else ""
    return Owner(fallback, f"{problem}; {reason}" if reason else problem)


def wishes_of(work: Work, connection: CrmConnection) -> dict[str, Wish]:
    """Returns property → wish, for all properties that the action has a value for."""
    action = work.action
    wishes = {written.to: Wish(action_value(action, written.value), written.write) for written in connection.fields}
    wishes[OWNER] = Wish(work.owner.id, UNTIL_EDITED)
    wishes["stitchline_profile"] = Wish(action.profile_id, ALWAYS)
    wishes["stitchline_score"] = Wish(number_text(float(action.body.get("score", 0.0))), ALWAYS)
    wishes["stitchline_grade"] = Wish(action_value(action, "grade"), ALWAYS)
    wishes["stitchline_reason"] = Wish(work.reason, ALWAYS)
    wishes["stitchline_segment"] = Wish(action_value(action, "segment"), ALWAYS)
    wishes["stitchline_trigger"] = Wish(action_value(action, "trigger"), ALWAYS)
    wishes["stitchline_last_touch"] = Wish(last_touch(action), ALWAYS)
    if work.is_own:
        wishes[KEY] = Wish(action.action_id, IF_BLANK)
        wishes[REVISION] = Wish(str(action.revision), ALWAYS)
    return wishes


def chosen(wishes: Mapping[str, Wish], work: Work, known: Collection[str]) -> dict[str, str]:
    """Returns the properties to send: known to HubSpot, not empty, changed, and not a human's."""
    current = work.current or {}
    hashes = work.row.fields if work.row else {}
    return {
        name: wish.value
        for name, wish in wishes.items()
        if name in known
        and wish.value
        and wish.value != current.get(name)
        and (not current.get(name) or _may_overwrite(wish.write, current.get(name) or "", hashes.get(name)))
    }


def hashes_of(wishes: Mapping[str, Wish], work: Work) -> dict[str, str]:
    """Returns property → hash of the value last written, with those of earlier writes."""
    before = work.row.fields if work.row else {}
    current = work.current or {}
    held = {name: wish.value for name, wish in wishes.items() if wish.value and current.get(name) == wish.value}
    return {**before, **{name: value_hash(value) for name, value in {**held, **work.sent}.items()}}


def _may_overwrite(write: str, current: str, last_written: str | None) -> bool:
    return write == ALWAYS or (write == UNTIL_EDITED and value_hash(current) == last_written)
