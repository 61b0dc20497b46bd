"""Requests to Salesforce's REST API. Pure.

Ids and action ids are letters and digits only, so they need no escaping in SOQL and URLs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from connectors.crm.exchange import Call
from connectors.crm.typed import json_value
from connectors.crm.work import Work, names_of
from pipeline.rules.crm import CrmConnection

LEAD, CONTACT, TASK = "Lead", "Contact", "Task"
MAX_QUERY_IDS: Final = 100
"""Ids in one SOQL query, so that its URL stays far below Salesforce's limit of 16,384 bytes."""
CONVERSION: Final = ("IsConverted", "ConvertedContactId")
_TITLES: Final = {"last_touch": "Last_Touch"}


def field_name(ours: str) -> str:
    """Returns the API name of one of our fields.

    >>> field_name("last_touch")
    'Stitchline_Last_Touch__c'
    """
    return f"Stitchline_{_TITLES.get(ours, ours.capitalize())}__c"


NAMES: Final = names_of("OwnerId", field_name)
_WRITE: Final = {
    # Without it, Salesforce's assignment rules replace the owner that ROUTE chose.
    "sforce-auto-assign": "FALSE",
    # An alert rule is treated like a blocking one: the sink adopts the record, or leaves it to a review.
    "sforce-duplicate-rule-header": "allowSave=false; includeRecordDetails=false; runAsCurrentUser=false",
}


class Calls:
    """The requests of one connection."""

    def __init__(self, connection: CrmConnection) -> None:
        self._data = f"/services/data/{connection.version}"

    def query(self, soql: str, *, tenant: str = "", deleted: bool = False) -> Call:
        """Returns the request for rows. ``deleted``: those in the recycle bin and merged ones, too."""
        return self._get(f"/{'queryAll' if deleted else 'query'}?q={quote(soql)}", tenant)

    def find(self, keys: Sequence[str], tenant: str) -> Call:
        """Returns the request for the leads of action ids, at most ``MAX_QUERY_IDS``."""
        soql = f"SELECT Id, {NAMES.action} FROM {LEAD} WHERE {NAMES.action} IN ({_listed(keys)})"  # noqa: S608  ids only
        return self.query(soql, tenant=tenant)

    def retrieve(self, object_type: str, ids: Sequence[str], names: Sequence[str], tenant: str) -> Call:
        """Returns the request for objects by id, at most 2,000. It is a POST: many fields do not fit a URL."""
        extra = CONVERSION if object_type == LEAD else ()
        body = {"ids": list(ids), "fields": sorted({"Id", *names, *extra})}
        return Call(method="POST", path=f"{self._data}/composite/sobjects/{object_type}", body=body, tenant=tenant)

    def master_of(self, object_type: str, object_id: str, tenant: str) -> Call:
        """Returns the request for the survivor of a merge."""
        soql = f"SELECT Id, IsDeleted, MasterRecordId FROM {object_type} WHERE Id = '{object_id}'"  # noqa: S608  an id
        return self.query(soql, tenant=tenant, deleted=True)

    def upsert(self, works: Sequence[Work], kinds: Mapping[str, str], tenant: str) -> Call:
        """Returns the request that creates or updates leads by action id, at most 200."""
        records = [
            {"attributes": {"type": LEAD}, **_values(work, kinds), NAMES.action: work.action.action_id}
            for work in works
        ]
        return self._write("PATCH", f"/{LEAD}/{NAMES.action}", records, tenant)

    def update(self, object_type: str, works: Sequence[Work], kinds: Mapping[str, str], tenant: str) -> Call:
        """Returns the request that updates objects by id, at most 200 different ones."""
        records = [
            {"attributes": {"type": object_type}, "id": work.object_id, **_values(work, kinds)} for work in works
        ]
        return self._write("PATCH", "", records, tenant)

    def find_notes(self, works: Sequence[Work], tenant: str) -> Call:
        """Returns the request for the tasks with the stories of leads, at most ``MAX_QUERY_IDS``."""
        subjects = _listed([subject_of(work) for work in works])
        parents = _listed([work.object_id for work in works])
        soql = f"SELECT Id, WhoId, Subject FROM {TASK} WHERE WhoId IN ({parents}) AND Subject IN ({subjects})"  # noqa: S608
        return self.query(soql, tenant=tenant)

    def create_notes(self, works: Sequence[Work], texts: Sequence[str], tenant: str) -> Call:
        """Returns the request that creates completed tasks, at most 200: they appear in the activity timeline."""
        records = [
            {
                "attributes": {"type": TASK}, "WhoId": work.object_id, "Subject": subject_of(work),
                "Description": text, "Status": "Completed",
            }
            for work, text in zip(works, texts, strict=True)
        ]  # fmt: skip
        return self._write("POST", "", records, tenant)

    def update_notes(self, ids: Sequence[str], texts: Sequence[str], tenant: str) -> Call:
        """Returns the request that replaces the texts of tasks, at most 200."""
        records = [
            {"attributes": {"type": TASK}, "id": name, "Description": text}
            for name, text in zip(ids, texts, strict=True)
        ]
        return self._write("PATCH", "", records, tenant)

    def create(self, object_type: str, records: Sequence[Mapping[str, Any]]) -> Call:
        """Returns the request that creates up to 200 objects of the set-up."""
        return self._write("POST", "", [{"attributes": {"type": object_type}, **one} for one in records], "")

    def delete(self, object_type: str, object_id: str) -> Call:
        """Returns the request that moves an object to the recycle bin."""
        return Call(method="DELETE", path=f"{self._data}/sobjects/{object_type}/{object_id}")

    def describe(self, object_type: str) -> Call:
        """Returns the request for the fields of an object type that the user may see."""
        return self._get(f"/sobjects/{object_type}/describe")

    def tooling_query(self, soql: str) -> Call:
        """Returns the request for rows of the metadata."""
        return self._get(f"/tooling/query?q={quote(soql)}")

    def create_field(self, full_name: str, metadata: Mapping[str, Any]) -> Call:
        """Returns the request that creates a custom field."""
        body = {"FullName": full_name, "Metadata": metadata}
        return Call(method="POST", path=f"{self._data}/tooling/sobjects/CustomField", body=body)

    def user_info(self) -> Call:
        """Returns the request for the user of the access token."""
        return Call(method="GET", path="/services/oauth2/userinfo")

    def _get(self, path: str, tenant: str = "") -> Call:
        return Call(method="GET", path=f"{self._data}{path}", tenant=tenant)

    def _write(self, method: str, path: str, records: Sequence[Mapping[str, Any]], tenant: str) -> Call:
        body = {"allOrNone": False, "records": records}
        path = f"{self._data}/composite/sobjects{path}"
        return Call(method=method, path=path, body=body, headers=_WRITE, tenant=tenant)


def subject_of(work: Work) -> str:
    """Returns the subject of a lead's task. It names the action, so that a repetition finds the task."""
    return f"Stitchline lead {work.action.action_id}"


def _values(work: Work, kinds: Mapping[str, str]) -> dict[str, Any]:
    sent = {name: json_value(text, kinds.get(name, "")) for name, text in work.sent.items()}
    if work.object == CONTACT and str(sent.get(NAMES.owner, "")).startswith("00G"):
        del sent[NAMES.owner]  # a queue owns leads, never contacts
    return sent


def _listed(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)
