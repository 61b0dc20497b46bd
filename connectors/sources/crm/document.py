"""Events as documents, and decisions that join two ids. Pure."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from connectors.crm.ledger_row import value_hash
from connectors.sources.crm.change import Change, Person
from pipeline.event.identifier import Identifier
from pipeline.event.instant import format_instant
from pipeline.identity.messages import Command
from pipeline.rules.crm import CrmConnection

Document: TypeAlias = dict[str, Any]
CHANNEL: Final = "crm"
Recognise: TypeAlias = Callable[[Identifier], Identifier]
"""Returns an identifier normalised; "" if the rules do not accept it."""


class Documents:
    """Makes the documents of one connection."""

    def __init__(self, connection: CrmConnection, recognise: Recognise) -> None:
        self.back = connection.back
        self._source, self._recognise = connection.name, recognise
        self._reps = {owner.id: owner.rep for owner in connection.owners}

    def rep(self, owner: str) -> str | None:
        """Returns the representative of an owner of the CRM, else the CRM's id; None for no owner."""
        return self._reps.get(owner, owner) or None

    def identifier_of(self, object_id: str) -> Identifier:
        """Returns the identifier of a contact or lead by its id; "" if the rules do not accept it."""
        return self._recognise(f"{self.back.identifier}:{object_id}")

    def identifiers(self, person: Person) -> dict[str, str]:
        """Returns the identifiers of a contact or lead."""
        stated = {self.back.identifier: person.id, "email": person.email, "phone": person.phone}
        return {kind: value for kind, value in stated.items() if value}

    def track(
        self, change: Change, event: str, at_ms: int, identifiers: dict[str, str], properties: Document
    ) -> Document:
        """Returns a track event. Leaves out properties without a value."""
        stated = {"object": change.kind.value, f"{change.kind.value}_id": change.id, **properties}
        kept = {name: value for name, value in stated.items() if value not in ("", None)}
        return {**self._head(change, event, at_ms, identifiers), "type": "track", "event": event, "properties": kept}

    def identify(self, change: Change, identifiers: dict[str, str], traits: Document) -> Document:
        """Returns an identify event. A trait of None empties the trait."""
        digest = value_hash(repr(sorted(traits.items(), key=str)))
        return {**self._head(change, digest, change.modified_ms, identifiers), "type": "identify", "traits": traits}

    def group(self, change: Change, identifiers: dict[str, str], company: str, traits: Document) -> Document:
        """Returns a group event: a person belongs to a company, or a company has traits."""
        digest = value_hash(repr((company, sorted(traits.items(), key=str))))
        head = self._head(change, f"group-{digest}", change.modified_ms, identifiers)
        return {**head, "type": "group", "groupId": company, "traits": traits}

    def join(self, change: Change, why: str) -> Command | None:
        """Returns the decision that the ids of a merged or converted object belong to one customer."""
        gone, left = self.identifier_of(change.id), self.identifier_of(change.into)
        if not gone or not left or gone == left:
            return None
        event_id = f"decision/crm/{self._source}/{change.id}/{change.into}"
        actor = f"crm:{self._source}"
        return Command(self.back.tenant, "link", gone, left, actor, why, change.modified_ms, event_id)

    def _head(self, change: Change, what: str, at_ms: int, identifiers: dict[str, str]) -> Document:
        name = what.lower().replace(" ", "-")
        return {
            "tenant": self.back.tenant, "source": self._source, "channel": CHANNEL,
            "messageId": f"{change.kind.value}-{change.id}-{name}-{at_ms}", "timestamp": format_instant(at_ms),
            "identifiers": identifiers,
        }  # fmt: skip
