"""The events of a contact or lead: its fields as traits, its owner, its company, its end. Pure."""

from collections.abc import Iterator

from connectors.sources.crm.change import COMPANY, OWNER, Change, Fate, ObjectKind, Person
from connectors.sources.crm.document import Document, Documents
from connectors.sources.crm.seen import Compared, Seen

_ENDS = {
    (ObjectKind.CONTACT, Fate.DELETED): "Contact Deleted",
    (ObjectKind.CONTACT, Fate.MERGED): "Contact Merged",
    (ObjectKind.LEAD, Fate.DELETED): "Lead Deleted",
    (ObjectKind.LEAD, Fate.MERGED): "Lead Merged",
    (ObjectKind.LEAD, Fate.CONVERTED): "Lead Converted",
}


def person_events(
    change: Change, before: Seen | None, compared: Compared, make: Documents, *, is_ours: bool
) -> Iterator[Document]:
    """Yields the events of a changed contact or lead, none for the sink's own writes.

    One that is seen for the first time is an event even without a trait, because it joins its ids; unless the sink has
    written it (``is_ours``), which knows the customer.
    """
    person = change.people[0] if change.people else Person(change.id)
    identifiers = make.identifiers(person)
    changed = compared.changed
    is_new = before is None and not is_ours and change.fate is Fate.PRESENT
    traits = traits_of(change.kind, changed, make)
    if traits or is_new:
        yield make.identify(change, identifiers, traits)
    if changed:
        if company := changed.get(COMPANY):
            yield make.group(change, identifiers, company, {})
        if OWNER in changed and before is not None:
            yield make.track(
                change, "Owner Changed", change.modified_ms, identifiers, {"owner": make.rep(changed[OWNER])}
            )
    ended = _ENDS.get((change.kind, change.fate))
    if ended and (before is None or (before.fate, before.into) != (change.fate, change.into)):
        into = Person(change.into or change.id, person.email, person.phone)
        yield make.track(change, ended, change.modified_ms, make.identifiers(into), {"into": change.into})


def traits_of(kind: ObjectKind, changed: dict[str, str], make: Documents) -> Document:
    """Returns the traits of the changed fields; None for an emptied field."""
    traits: Document = {
        trait.trait: changed[trait.field] or None
        for trait in make.back.traits
        if trait.field in changed and f"{kind.value}s" in trait.of
    }
    if OWNER in changed and make.back.owner_trait:
        traits[make.back.owner_trait] = make.rep(changed[OWNER])
    return traits
