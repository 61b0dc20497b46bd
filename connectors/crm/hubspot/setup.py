"""Creates and checks what the sink needs in HubSpot: a property group, the stitchline_ properties, active owners."""

from collections.abc import Iterator
from typing import Final

from connectors.crm.exchange import Call, Send
from connectors.crm.fault import StoppedError
from connectors.crm.hubspot.answers import CRM, batch_of, checked
from connectors.crm.hubspot.calls import CONTACTS, NOTES, Calls
from connectors.crm.hubspot.directory import Directory
from connectors.crm.hubspot.work import KEY, NOTE_KEY, REVISION, Owner, Work
from connectors.crm.sink import Action, Finding
from connectors.crm.split import Written
from pipeline.rules.crm import CrmConnection

GROUP: Final = "stitchline"
TEST_ACTION: Final = "00000000000000000000000000000000"
_TEXT, _LONG_TEXT = ("string", "text"), ("string", "textarea")
CONTACT_PROPERTIES: Final = {
    KEY: (*_TEXT, "Stitchline action", True),
    "stitchline_profile": (*_TEXT, "Stitchline profile", False),
    REVISION: ("number", "number", "Stitchline revision", False),
    "stitchline_score": ("number", "number", "Stitchline score", False),
    "stitchline_grade": (*_TEXT, "Stitchline grade", False),
    "stitchline_reason": (*_LONG_TEXT, "Stitchline reason", False),
    "stitchline_segment": (*_TEXT, "Stitchline segment", False),
    "stitchline_trigger": (*_TEXT, "Stitchline trigger", False),
    "stitchline_last_touch": ("datetime", "date", "Stitchline last touch", False),
}
"""Property → (type, field type, label, whether its values are unique)."""
NOTE_PROPERTIES: Final = {NOTE_KEY: (*_TEXT, "Stitchline note", True)}


class Setup:
    """The set-up of one connection."""

    def __init__(self, connection: CrmConnection, calls: Calls, directory: Directory, send: Send) -> None:
        self._connection, self._calls, self._directory, self._send = connection, calls, directory, send

    def check(self) -> list[Finding]:
        """Returns the deviations from what the sink needs, or one finding that there is none. Changes nothing.

        Raises:
            SinkError: A right is missing.
        """
        try:
            findings = [finding for finding, _ in self._differences()]
            findings += self._mappings()
        except StoppedError as stopped:
            return [Finding(False, f"{CRM} is not available now: {stopped.pause.reason}")]
        return findings or [Finding(True, f"{CRM} has everything that {self._connection.name} needs")]

    def run(self, *, dry_run: bool) -> list[Finding]:
        """Creates what is missing, then writes a test contact twice and expects one. Deletes it afterwards.

        Raises:
            SinkError: A right is missing.
        """
        findings = []
        try:
            for finding, call in list(self._differences()):
                if call is None or dry_run:
                    findings.append(finding)
                    continue
                failed = checked(self._send(call))
                text = finding.text.replace("missing", "created", 1)
                findings.append(Finding(False, f"{finding.text}: {failed.words}") if failed else Finding(True, text))
            if not dry_run and all(finding.ok for finding in findings):
                findings.append(self._self_test())
        except StoppedError as stopped:
            findings.append(Finding(False, f"{CRM} is not available now: {stopped.pause.reason}"))
        self._directory.forget()
        return findings or [Finding(True, "nothing to do")]

    def _differences(self) -> Iterator[tuple[Finding, Call | None]]:
        """Yields what differs, with the request that creates what is missing."""
        wanted = {CONTACTS: CONTACT_PROPERTIES, **({NOTES: NOTE_PROPERTIES} if self._connection.story else {})}
        for object_type, properties in wanted.items():
            types = self._directory.types_of(object_type)
            missing = [name for name in properties if name not in types]
            if missing and GROUP not in self._directory.groups_of(object_type):
                group = {"name": GROUP, "label": "Stitchline"}
                finding = Finding(False, f"missing: property group {GROUP} of {object_type}")
                yield finding, self._calls.create_group(object_type, group)
            for name, (kind, field_type, label, unique) in properties.items():
                if name in missing:
                    definition = {
                        "name": name, "label": label, "type": kind, "fieldType": field_type, "groupName": GROUP,
                        "hasUniqueValue": unique,
                    }  # fmt: skip
                    finding = Finding(False, f"missing: property {name} of {object_type}")
                    yield finding, self._calls.create_property(object_type, definition)
                elif types[name] != kind:
                    text = f"property {name} of {object_type} has type {types[name]}, not {kind}: delete or rename it"
                    yield Finding(False, text), None

    def _mappings(self) -> Iterator[Finding]:
        types, owners = self._directory.types_of(CONTACTS), self._directory.owners_now()
        for written in self._connection.fields:
            if written.to not in types:
                text = (
                    f"field {written.to} of crm.yaml is no contact property of {CRM}: it is left out of every contact"
                )
                yield Finding(False, text)
        named = [(f"owner {owner.id} of {owner.rep}", owner.id) for owner in self._connection.owners]
        named += [("fallback_owner", self._connection.fallback_owner)] if self._connection.fallback_owner else []
        for what, owner_id in named:
            if owner_id not in owners:
                yield Finding(False, f"{what} is no active owner in {CRM}")

    def _self_test(self) -> Finding:
        action = Action(0, 0, {"action_id": TEST_ACTION})
        ids = []
        for revision in ("1", "2"):
            work = Work(action, Owner("", ""), sent={REVISION: revision, "firstname": "Stitchline set-up test"})
            batch = batch_of(self._send(self._calls.upsert([work], "")), [TEST_ACTION], key_property=KEY)
            result = batch.results[0] if batch.results else None
            if not isinstance(result, Written):
                words = batch.whole.words if batch.whole else "no result"
                return Finding(False, f"self-test: the test contact was not written: {words}")
            ids.append(result.id)
        for contact_id in sorted(set(ids)):
            checked(self._send(self._calls.delete(contact_id)))
        if len(set(ids)) > 1:
            return Finding(False, f"self-test: two contacts {ids} under one action id; is {KEY} unique?")
        return Finding(True, "self-test: a contact written twice is there once; it was deleted again")
