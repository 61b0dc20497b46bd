"""One action on its way into a CRM, and the fields that it writes. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from connectors.crm.fault import Fault, missing_right
from connectors.crm.ledger_row import LedgerRow, value_hash
from connectors.crm.sink import Action, Outcome
from connectors.crm.split import Failed, Result, Written
from connectors.crm.typed import canonical
from connectors.crm.values import action_value, last_touch, number_text
from pipeline.rules.crm import CrmConnection
from pipeline.rules.crm_sync import SyncObject

ALWAYS, IF_BLANK, UNTIL_EDITED = "always", "if_blank", "until_edited"
NOTE_HASH: Final = "stitchline_note"
"""Name under which the ledger row holds the hash of the note."""


class Names(msgspec.Struct, frozen=True):
    """The names of the owner's and of our fields in one CRM."""

    owner: str
    action: str
    profile: str
    revision: str
    score: str
    grade: str
    reason: str
    segment: str
    trigger: str
    last_touch: str


OUR_FIELDS: Final = tuple(name for name in Names.__struct_fields__ if name != "owner")


def names_of(owner: str, form: Callable[[str], str]) -> Names:
    """Returns the names in a CRM that forms those of our fields with ``form``."""
    return Names(owner, *(form(name) for name in OUR_FIELDS))


class Owner(NamedTuple):
    """The owner that an object gets."""

    id: str
    """The CRM's owner id; "" leaves the owner as it is."""
    reason: str
    """Why, for the representative."""


class Held(msgspec.Struct, frozen=True):
    """An object as the CRM holds it."""

    object: str
    id: str
    values: Mapping[str, str | None] = {}
    moved_to: tuple[str, str] | None = None
    """Type and id of the object that it was converted or merged into; the id is "" if the CRM names none."""


class Wish(NamedTuple):
    """A value for a field, and when it is written."""

    value: str
    write: str


class Work(msgspec.Struct, eq=False):
    """One action of a batch."""

    action: Action
    owner: Owner
    names: Names
    row: LedgerRow | None = None
    """The action's row in the ledger."""
    object: str = ""
    """The type of the object that is written."""
    object_id: str = ""
    """The object that is written; "" creates one under the action id."""
    current: Mapping[str, str | None] | None = None
    """What the CRM holds before the write; None if it holds nothing, or was not read yet."""
    sent: dict[str, str] = {}
    """What is written to the object."""
    reason: str = ""
    """Why this is a lead, or which object it duplicates."""
    remark: str = ""
    note_id: str = ""
    """The note that was written."""
    is_new: bool = False
    """Whether the CRM created the object just now, so that it cannot have a note yet."""
    outcome: Outcome | None = None

    @property
    def is_own(self) -> bool:
        """Whether the object carries this action's id, or none: its bookkeeping is about this action."""
        return self.current is None or (self.current.get(self.names.action) or "") in {"", self.action.action_id}

    @property
    def is_overtaken(self) -> bool:
        """Whether the object carries a higher revision of this action."""
        current = self.current or {}
        held = current.get(self.names.revision) or ""
        own = current.get(self.names.action) == self.action.action_id
        return own and held.isdecimal() and int(held) > self.action.revision

    @property
    def former_note(self) -> str:
        """The note that the ledger knows; "" without one."""
        return self.row.note_id if self.row else ""


def kind_of(object_type: str) -> SyncObject:
    """Returns the kind of a CRM's type of object.

    >>> kind_of("Contact"), kind_of("Leads")
    ('contacts', 'leads')
    """
    return "contacts" if object_type.lower().rstrip("s") == "contact" else "leads"


def owner_of(action: Action, connection: CrmConnection, known: Collection[str], crm: str) -> Owner:
    """Returns the owner of an action: the representative's, if the CRM has it as active, else the fallback."""
    rep, reason = action_value(action, "owner"), action_value(action, "owner_reason")
    if not rep:
        return Owner("", reason)
    ids = {owner.rep: owner.id for owner in connection.owners}
    wanted = ids.get(rep, "")
    if wanted in known:
        return Owner(wanted, reason)
    problem = f"{rep} is not active in {crm}" if wanted else f"{rep} has no owner id in crm.yaml"
    fallback = connection.fallback_owner if connection.fallback_owner in known else ""
    return Owner(fallback, f"{problem}; {reason}" if reason else problem)


def wishes_of(work: Work, connection: CrmConnection, kinds: Mapping[str, str]) -> dict[str, Wish]:
    """Returns field → wish, in the forms of their kinds, for all fields that ``crm.yaml`` or Stitchline writes."""
    action, names = work.action, work.names
    wishes: dict[str, Wish] = {}
    for written in connection.fields:
        value = action_value(action, written.value)
        wishes[written.to] = Wish(value, written.write) if value else Wish(written.default, IF_BLANK)
    wishes[names.owner] = Wish(work.owner.id, UNTIL_EDITED)
    wishes[names.profile] = Wish(action.profile_id, ALWAYS)
    wishes[names.score] = Wish(number_text(float(action.body.get("score", 0.0))), ALWAYS)
    wishes[names.grade] = Wish(action_value(action, "grade"), ALWAYS)
    wishes[names.reason] = Wish(work.reason, ALWAYS)
    wishes[names.segment] = Wish(action_value(action, "segment"), ALWAYS)
    wishes[names.trigger] = Wish(action_value(action, "trigger"), ALWAYS)
    wishes[names.last_touch] = Wish(last_touch(action), ALWAYS)
    if work.is_own:
        wishes[names.action] = Wish(action.action_id, IF_BLANK)
        wishes[names.revision] = Wish(str(action.revision), ALWAYS)
    return {name: Wish(canonical(wish.value, kinds.get(name, "")), wish.write) for name, wish in wishes.items()}


def chosen(wishes: Mapping[str, Wish], work: Work, known: Collection[str]) -> dict[str, str]:
    """Returns the fields to send: known to the CRM, not empty, changed, and not a human's."""
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
    """Returns field → hash of the value last written, with those of earlier writes."""
    before = work.row.fields if work.row else {}
    current = work.current or {}
    held = {name: wish.value for name, wish in wishes.items() if wish.value and current.get(name) == wish.value}
    return {**before, **{name: value_hash(value) for name, value in {**held, **work.sent}.items()}}


def _may_overwrite(write: str, current: str, last_written: str | None) -> bool:
    return write == ALWAYS or (write == UNTIL_EDITED and value_hash(current) == last_written)


def stop_if_denied(works: Sequence[Work], results: Sequence[Result], crm: str) -> None:
    """Raises SinkError if a right is missing for every object. A single existing one may be closed to the key."""
    denied = [one for one in results if isinstance(one, Failed) and one.fault is Fault.RIGHT_MISSING]
    if denied and len(denied) == len(results) and (len(works) > 1 or not works[0].object_id):
        missing_right(crm, denied[0].words)


def with_owners(
    works: Sequence[Work],
    results: list[Result],
    owner_field: str,
    read: Callable[[list[str]], Mapping[str, str | None]],
) -> list[Result]:
    """Adds the owners that the CRM holds, which ``read`` returns by object id.

    An automation of the CRM may replace an owner without any error.
    """
    owned = [
        one.id
        for work, one in zip(works, results, strict=True)
        if isinstance(one, Written) and owner_field in work.sent
    ]
    if not owned:
        return results
    owners = read(owned)
    return [
        msgspec.structs.replace(one, properties={owner_field: owners.get(one.id)}) if isinstance(one, Written) else one
        for one in results
    ]
