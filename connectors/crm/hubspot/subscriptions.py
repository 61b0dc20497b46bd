"""The subscriptions that fill HubSpot's webhooks journal with the changes of one account.

Source: HubSpot's guide "Webhooks journal management APIs" and its OpenAPI document ``webhooksJournal.json`` (2026-03).
``objectIds`` is optional by the guide and required by the document. It is never sent: a subscription without it covers
all objects.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from connectors.crm.exchange import Answer, Call, Send, dicts_in
from connectors.crm.fault import StoppedError
from connectors.crm.gateway import Missing
from connectors.crm.hubspot.answers import CRM, checked
from connectors.crm.hubspot.tracked import ACTIVITIES, TYPE_IDS, tracked_types, value_properties
from connectors.crm.sink import Pause
from pipeline.event.event_time import read_time
from pipeline.rules.crm_back import CrmBack, CrmJournal

_REMOVAL_ACTIONS: Final = ("DELETE", "MERGE")
_OBJECT_ACTIONS: Final = ("CREATE", "UPDATE", "RESTORE")
_ASSOCIATION_ACTIONS: Final = ("ASSOCIATION_ADDED", "ASSOCIATION_REMOVED")


class Subscription(msgspec.Struct, frozen=True):
    """What one subscription records of a type of object."""

    kind: str
    """OBJECT, ASSOCIATION or GDPR_PRIVACY_DELETION."""
    object_type: str
    actions: frozenset[str]
    properties: frozenset[str] = frozenset()
    """Of OBJECT: the properties whose changes are recorded."""
    others: frozenset[str] = frozenset()
    """Of ASSOCIATION: the ids of the types at the other end."""

    def text(self) -> str:
        """Returns its name for messages."""
        to = f" to {', '.join(sorted(name for name, one in TYPE_IDS.items() if one in self.others))}"
        return f"{self.kind} of {self.object_type}{to if self.others else ''} ({', '.join(sorted(self.actions))})"

    def body(self, portal: int) -> dict[str, Any]:
        """Returns the request that creates or updates it."""
        body: dict[str, Any] = {
            "subscriptionType": self.kind, "portalId": portal, "objectTypeId": TYPE_IDS[self.object_type],
            "actions": sorted(self.actions),
        }  # fmt: skip
        if self.properties:
            body["properties"] = sorted(self.properties)
        if self.others:
            body["associatedObjectTypeIds"] = sorted(self.others)
        return body

    def is_met_by(self, row: Mapping[str, Any]) -> bool:
        """Returns whether an existing subscription (a row of HubSpot) records at least as much, and of all objects."""
        return (
            row.get("subscriptionType") == self.kind
            and type_id(row.get("objectTypeId")) == TYPE_IDS[self.object_type]
            and not row.get("objectIds")
            and self.actions <= _texts(row, "actions")
            and self.properties <= _texts(row, "properties")
            and self.others <= _ids(row, "associatedObjectTypeIds")
        )


def wanted_subscriptions(back: CrmBack) -> list[Subscription]:
    """Returns the subscriptions that a connection needs, for the types of object that it reads."""
    wanted = []
    for name in tracked_types(back):
        actions = _OBJECT_ACTIONS if name in ACTIVITIES else (*_OBJECT_ACTIONS, *_REMOVAL_ACTIONS)
        properties = frozenset(value_properties(name, back))
        wanted.append(Subscription("OBJECT", name, frozenset(actions), properties))
        associated = {"deals": ("contacts", "companies")}.get(name, ("contacts",) if name in ACTIVITIES else ())
        if associated:
            others = frozenset(TYPE_IDS[one] for one in associated)
            wanted.append(Subscription("ASSOCIATION", name, frozenset(_ASSOCIATION_ACTIONS), others=others))
        if name == "contacts":
            wanted.append(Subscription("GDPR_PRIVACY_DELETION", name, frozenset({"GDPR_DELETE"})))
    return wanted


class Subscriptions:
    """The subscriptions of one account.

    Raises (every method):
        StoppedError: HubSpot is not available now.
        SinkError: A right is missing.
    """

    def __init__(self, journal: CrmJournal, back: CrmBack, send: Send) -> None:
        self._journal, self._send = journal, send
        self._wanted = wanted_subscriptions(back)
        self._path = f"/webhooks-journal/subscriptions/{journal.version}"

    def read(self) -> list[dict[str, Any]]:
        """Returns the subscriptions of the account that are in force."""
        answer = self._send(Call(method="GET", path=self._path, login="journal", policy="journal"))
        failed = checked(answer)
        if failed is not None or not isinstance(answer.body, dict) or "results" not in answer.body:
            words = failed.words if failed is not None else f"HTTP {answer.status} without a list"
            raise StoppedError(Pause(answer.retry_after_ms, f"{CRM} did not list the journal's subscriptions, {words}"))
        rows = dicts_in(answer.body["results"])
        return [one for one in rows if one.get("portalId") == self._journal.portal and not one.get("deletedAt")]

    def lacking(self, there: Sequence[Mapping[str, Any]]) -> list[Subscription]:
        """Returns the wanted subscriptions that none of the existing ones (``there``) meets."""
        return [one for one in self._wanted if not any(one.is_met_by(row) for row in there)]

    def changed_ms(self, there: Sequence[Mapping[str, Any]]) -> int:
        """Returns when a subscription that meets a wanted one was last created or updated, in ms since 1970; else 0."""
        meeting = [row for row in there if any(one.is_met_by(row) for one in self._wanted)]
        times = [read_time(row.get(name)) or 0 for row in meeting for name in ("createdAt", "updatedAt")]
        return max(times, default=0)

    def missing(self) -> Iterator[Missing]:
        """Yields each subscription that is missing or records too little, with the call that creates it."""
        for one in self.lacking(self.read()):
            yield Missing(f"missing: subscription {one.text()} of the journal", partial(self._create, one))

    def _create(self, wanted: Subscription) -> str:
        call = Call(
            method="POST", path=self._path, body=wanted.body(self._journal.portal), login="journal", policy="journal"
        )
        return _refusal(self._send(call), wanted)


def type_id(value: Any) -> str:
    """Returns the id of a type, such as 0-1.

    HubSpot's examples have it as text, and its OpenAPI document as an object with ``metaTypeId`` and ``innerId``.
    """
    if isinstance(value, dict):
        return f"{value.get('metaTypeId')}-{value.get('innerId')}"
    return value if isinstance(value, str) else ""


def _refusal(answer: Answer, wanted: Subscription) -> str:
    """Returns why a subscription was not created as requested; "" if it was."""
    if failed := checked(answer):
        return failed.words
    created = answer.body if isinstance(answer.body, dict) else {}
    return "" if wanted.is_met_by(created) else f"HTTP {answer.status}: {CRM} has not taken all of it"


def _texts(row: Mapping[str, Any], name: str) -> set[str]:
    values = row.get(name)
    return {str(one) for one in values} if isinstance(values, list) else set()


def _ids(row: Mapping[str, Any], name: str) -> set[str]:
    values = row.get(name)
    return {type_id(one) for one in values} if isinstance(values, list) else set()
