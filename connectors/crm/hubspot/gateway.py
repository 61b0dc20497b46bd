"""HubSpot's contacts and notes. Implements :class:`~connectors.crm.gateway.Gateway`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from connectors.crm.exchange import Call, Send
from connectors.crm.fault import Fault, StoppedError
from connectors.crm.gateway import Missing
from connectors.crm.hubspot.answers import CRM, associated, batch_of, checked, names_unknown_property, rows_of
from connectors.crm.hubspot.calls import KEY, NOTE_KEY, Calls, note_text
from connectors.crm.hubspot.directory import Directory
from connectors.crm.hubspot.properties import missing_properties
from connectors.crm.hubspot.subscriptions import Subscriptions
from connectors.crm.sink import Pause
from connectors.crm.split import Batch, Failed, Result, Splitter, Written
from connectors.crm.typed import text_of
from connectors.crm.work import Held, Work, names_of
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection

CONTACT: Final = "contact"
_Request = Callable[[Sequence[Work], str], Call]


class HubSpotGateway:
    """One HubSpot account."""

    crm, home, batch = CRM, CONTACT, 100
    objects: Sequence[str] = (CONTACT,)
    names = names_of("hubspot_owner_id", "stitchline_{}".format)
    test_values: Mapping[str, str] = {"firstname": "Stitchline set-up test"}
    conversion_leaves = ""

    def __init__(self, connection: CrmConnection, send: Send, clock: Clock) -> None:
        self._connection, self._send = connection, send
        self._calls = Calls(connection)
        self._directory = Directory(self._calls, send, clock)
        self._splitter = Splitter()

    def fields(self, object_type: str) -> Mapping[str, str]:
        """Returns the contact properties, name → type."""
        del object_type  # contacts are the only one
        return self._directory.properties(story=self._connection.story)

    def owners(self) -> frozenset[str]:
        """Returns the ids of the active owners."""
        self._directory.properties(story=self._connection.story)
        return self._directory.owners()

    def forget(self) -> None:
        """Reads properties and owners again when they are next needed."""
        self._directory.forget()

    def read(self, object_type: str, ids: Sequence[str], names: Sequence[str], tenant: str) -> dict[str, Held]:
        """Returns id → contact."""
        rows = rows_of(self._send(self._calls.read_by_id(ids, names, tenant)))
        return {name: Held(object_type, name, self._texts(properties)) for name, properties in rows.items()}

    def find(self, keys: Sequence[str], tenant: str) -> dict[str, str]:
        """Returns action id → contact id."""
        rows = rows_of(self._send(self._calls.read_by_key(keys, [KEY], tenant)))
        return {properties.get(KEY) or "": name for name, properties in rows.items()}

    def follow(self, object_type: str, object_id: str, names: Sequence[str], tenant: str) -> Held | Failed | None:
        """Returns the survivor of a merge: HubSpot answers a request for the id of a loser with it."""
        answer = self._send(self._calls.read_one(object_id, names, tenant))
        failed = checked(answer)
        if failed is None and isinstance(answer.body, dict) and answer.body.get("id"):
            return Held(object_type, str(answer.body["id"]), self._texts(answer.body.get("properties") or {}))
        if failed is not None and failed.fault is Fault.GONE:
            return None
        return failed or Failed(Fault.NO_RESULT, answer.words())

    def update(self, object_type: str, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes existing contacts."""
        del object_type
        return self._splitter.write(works, self._once(self._calls.update, tenant, KEY))

    def upsert(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Creates contacts under their action ids."""
        return self._splitter.write(works, self._once(self._calls.upsert, tenant, KEY))

    def note_text(self, work: Work) -> str:
        """Returns the story as HTML."""
        return note_text(work)

    def write_notes(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes the notes under their action ids and associates them with the contacts."""
        results = self._splitter.write(works, self._once(self._calls.upsert_notes, tenant, NOTE_KEY))
        noted = []
        for work, result in zip(works, results, strict=True):
            if isinstance(result, Written) and result.id:
                work.note_id = result.id
                noted.append(work)
        if not noted:
            return results
        answer = self._send(self._calls.associate(noted, tenant))
        failed, done = checked(answer), associated(answer)
        words = f"note not attached: {failed.words if failed else 'success without a result'}"
        return [
            Failed(Fault.NO_RESULT, words) if isinstance(one, Written) and one.id and one.id not in done else one
            for one in results
        ]

    def delete(self, object_type: str, object_id: str) -> Failed | None:
        """Archives a contact."""
        del object_type
        return checked(self._send(self._calls.delete(object_id)))

    def missing(self) -> Iterator[Missing]:
        """Yields property groups, properties, and subscriptions of the journal that the way back reads."""
        story, back, sync = self._connection.story, self._connection.back, self._connection.sync
        yield from missing_properties(self._calls, self._directory, self._send, story=story, sync=sync)
        if back.journal is not None:
            yield from Subscriptions(back.journal, back, self._send).missing()

    def _texts(self, properties: Mapping[str, str | None]) -> dict[str, str | None]:
        kinds = self.fields(CONTACT)
        return {name: text_of(value, kinds.get(name, "")) for name, value in properties.items()}

    def _once(self, call: _Request, tenant: str, key_property: str) -> Callable[[Sequence[Work]], Batch]:
        def once(works: Sequence[Work]) -> Batch:
            answer = self._send(call(works, tenant))
            batch = batch_of(answer, [work.action.action_id for work in works], key_property=key_property)
            if batch.whole is not None and names_unknown_property(batch.whole):
                self._directory.forget()
                raise StoppedError(Pause(0, f"a property was removed in {CRM}, {batch.whole.words}"))
            return batch

        return once
