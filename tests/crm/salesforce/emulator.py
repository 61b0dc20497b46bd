"""Salesforce in memory: logins, composite collections, SOQL, describe, Tooling API, with its answers and traps.

``tests/crm/witness`` drives it with simple-salesforce 1.12.10: a login with client credentials, upserts by external id,
a collection with one refused record, SOQL, describe, reading, updating and deleting.
"""

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qs

import httpx2
import jwt
import msgspec

from pipeline.rules.crm import CrmField, CrmLogin
from tests.crm import emulator as faults
from tests.crm.emulator import Crm
from tests.crm.salesforce.org import READ_ONLY, Fault, Org
from tests.crm.salesforce.soql import Query

NAMES = {
    "action": "Stitchline_Action__c", "revision": "Stitchline_Revision__c", "profile": "Stitchline_Profile__c",
    "email": "Email", "phone": "Phone", "first": "FirstName", "owner": "OwnerId", "reason": "Stitchline_Reason__c",
    "score": "Stitchline_Score__c", "grade": "Stitchline_Grade__c",
}  # fmt: skip
CUSTOM = {
    "Action": "string", "Revision": "double", "Profile": "string", "Reason": "textarea", "Score": "double",
    "Grade": "string", "Segment": "string", "Trigger": "string", "Last_Touch": "datetime",
}  # fmt: skip
_TYPES = {
    "Text": "string",
    "Number": "double",
    "LongTextArea": "textarea",
    "DateTime": "datetime",
    "Checkbox": "boolean",
}
DATA = "/services/data/v67.0"
USER = "005000000000001AAA"
MAX_RECORDS = 200


class Refusal(Exception):  # noqa: N818
    """A request that changes nothing."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, [{"message": message, "errorCode": code}]


class Salesforce(Crm):
    """One org."""

    name, kind, home = "Salesforce", "salesforce", "lead"
    connection: ClassVar = {
        "url": "https://shop.my.salesforce.com",
        "login": CrmLogin(client_id="consumer-key"),
        "fields": (
            CrmField(to="LastName", value="contact.lastName", default="Unknown"),
            CrmField(to="Company", value="contact.company", default="Unknown"),
            CrmField(to="Email", value="contact.email"),
            CrmField(to="Phone", value="contact.phone"),
            CrmField(to="FirstName", value="contact.firstName"),
        ),
    }  # fmt: skip
    owners_by_name: ClassVar = {
        "ann": "005000000000010AAA", "gone": "005000000000030AAA", "fallback": "005000000000020AAA",
        "human": "005000000000077AAA",
    }  # fmt: skip
    upserts = re.compile(r"PATCH .*/composite/sobjects/Lead/Stitchline_Action__c")
    updates = re.compile(r"PATCH .*/composite/sobjects")
    follows = re.compile(r"GET .*/queryAll")

    def __init__(self) -> None:
        super().__init__()
        self.org = Org()
        for name, owner in self.owners_by_name.items():
            self.org.rows["User"][owner] = {"Id": owner, "IsActive": name != "gone"}
        self.org.rows["User"][USER] = {"Id": USER, "IsActive": True}
        self.public_key = ""
        """Of the JWT bearer flow."""
        self.usage = (100, 100_000)
        """Requests of the day, as each answer states them."""
        self.locked = False
        """Whether another transaction holds the record that is written."""
        self.logins = 0
        self.login_fault: httpx2.Response | None = None
        self._tokens: set[str] = set()

    def prepare(self) -> None:
        for object_type in ("Lead", "Contact"):
            self.org.types[object_type] |= {f"Stitchline_{name}__c": kind for name, kind in CUSTOM.items()}
        self.org.unique.add(("Lead", NAMES["action"]))

    def expire(self) -> None:
        self._tokens.clear()

    def remove_field(self, field: str) -> None:
        for object_type in ("Lead", "Contact"):
            self.org.types[object_type].pop(NAMES[field], None)

    def add_fields(self, names: Sequence[str]) -> None:
        for object_type in ("Lead", "Contact"):
            self.org.types[object_type] |= dict.fromkeys(names, "string")

    def is_write(self, request: httpx2.Request) -> bool:
        path = request.url.path
        collection = "/composite/sobjects" in path
        return request.method == "DELETE" or (
            collection and (request.method == "PATCH" or path.endswith("/composite/sobjects"))
        )

    def refusal(self, fault: str) -> httpx2.Response | None:
        match fault:
            case faults.KEY_EXPIRED:
                return _error(401, "INVALID_SESSION_ID", "Session expired or invalid")
            case faults.SLOW_DOWN:
                message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
                return _error(403, "REQUEST_LIMIT_EXCEEDED", message)
            case faults.DAY_LIMIT:
                return _error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            case faults.UNAVAILABLE:
                return httpx2.Response(503, text="<html>Down for maintenance</html>")
            case faults.SERVER_ERROR:
                return _error(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred")
            case faults.RIGHT_MISSING:
                return _error(403, "API_DISABLED_FOR_ORG", "the API is not enabled")
            case faults.EMPTY:
                return _json(200, [])
        return None

    def answer(self, request: httpx2.Request, fault: str) -> httpx2.Response:
        if request.url.path == "/services/oauth2/token":
            form = {name: one[0] for name, one in parse_qs(request.content.decode()).items()}
            return self._login({**_basic(request), **form})
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._tokens:
            return _error(401, "INVALID_SESSION_ID", "Session expired or invalid")
        try:
            status, body = self._route(request, fault)
        except Refusal as refusal:
            return _json(refusal.status, refusal.body)
        if fault == faults.SHORT and isinstance(body, list):
            body = body[: len(body) // 2]
        used = {"Sforce-Limit-Info": f"api-usage={self.usage[0]}/{self.usage[1]}"}
        return httpx2.Response(status, headers=used) if body is None else _json(status, body, used)

    def raw(self, lead_id: str) -> Mapping[str, Any]:
        return {**self.org.rows["Lead"], **self.org.rows["Contact"]}[lead_id]

    def leads(self) -> dict[str, dict[str, str]]:
        rows = {**self.org.live("Lead"), **self.org.live("Contact")}
        return {
            name: {ours: _text(row[theirs]) for ours, theirs in NAMES.items() if row.get(theirs)}
            for name, row in rows.items()
            if not row.get("IsConverted")
        }

    def stories(self, lead_id: str) -> Sequence[str]:
        return [task["Description"] for task in self.org.live("Task").values() if task.get("WhoId") == lead_id]

    def note_count(self) -> int:
        return len(self.org.live("Task"))

    def add_by_hand(self, email: str, **fields: str) -> str:
        values = {NAMES[name]: value for name, value in fields.items()}
        return self.org.create("Lead", {"Email": email, "LastName": "Hand", **values}, by_api=False)

    def edit_by_hand(self, lead_id: str, **fields: str) -> None:
        kind = _kind(lead_id)
        types = self.org.types[kind]
        values = {NAMES[name]: value for name, value in fields.items()}
        values = {name: float(one) if types[name] == "double" and one else one or None for name, one in values.items()}
        self.org.put(kind, lead_id, values)

    def delete_by_hand(self, lead_id: str) -> None:
        self.org.drop(_kind(lead_id), lead_id)

    def merge_by_hand(self, survivor: str, loser: str) -> str:
        self.org.merge(_kind(survivor), survivor, loser)
        return survivor

    def convert_by_hand(self, lead_id: str) -> str:
        return self.org.convert(lead_id)

    def _login(self, form: dict[str, str]) -> httpx2.Response:
        self.logins += 1
        if self.login_fault is not None:
            return self.login_fault
        refused = {"error": "invalid_client", "error_description": "invalid client credentials"}
        if form.get("grant_type") == "client_credentials":
            good = (form.get("client_id"), form.get("client_secret")) == ("consumer-key", self.secrets[faults.SECRET])
        elif form.get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            good = self._is_signed(form.get("assertion", ""))
            refused = {"error": "invalid_grant", "error_description": "invalid assertion"}
        else:
            good, refused = False, {"error": "unsupported_grant_type", "error_description": "grant type not supported"}
        if not good:
            return _json(400, refused)
        token = f"00D!{self.logins}"
        self._tokens.add(token)
        return _json(200, {
            "access_token": token, "instance_url": "https://shop.my.salesforce.com", "token_type": "Bearer",
            "id": f"https://login.salesforce.com/id/00D/{USER}",
        })  # fmt: skip

    def _is_signed(self, assertion: str) -> bool:
        try:
            claims = jwt.decode(
                assertion, self.public_key, algorithms=["RS256"], audience="https://login.salesforce.com",
                options={"verify_exp": False, "require": ["iss", "sub", "aud", "exp"]},
            )  # fmt: skip
        except jwt.PyJWTError:
            return False
        return (claims["iss"], claims["sub"]) == ("consumer-key", "robot@shop.example")

    def _route(self, request: httpx2.Request, fault: str) -> tuple[int, Any]:
        path, method = request.url.path, request.method
        body = msgspec.json.decode(request.content) if request.content else {}
        if path == "/services/oauth2/userinfo":
            return 200, {"user_id": USER, "organization_id": "00D"}
        path = path.removeprefix(DATA)
        if hit := re.fullmatch(r"/(tooling/)?(query|queryAll)/?", path):
            return 200, self._query(request.url.params["q"], deleted=hit[2] == "queryAll")
        if path == "/tooling/sobjects/CustomField" and method == "POST":
            return 201, self._create_field(body["FullName"], body["Metadata"])
        if hit := re.fullmatch(r"/composite/sobjects(?:/(\w+))?(?:/(\w+))?", path):
            if method == "POST" and hit[1]:
                return 200, self._retrieve(hit[1], body)
            return 200, self._collection(method, body, hit[2], fault)
        if hit := re.fullmatch(r"/sobjects/(\w+)/describe/?", path):
            return 200, self._describe(hit[1])
        if hit := re.fullmatch(r"/sobjects/(\w+)(?:/(\w+))?(?:/([^/]+))?/?", path):
            return self._one(request, hit[1], hit[2], hit[3], body)
        raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")

    def _query(self, text: str, *, deleted: bool) -> Any:
        query = Query(text)
        for name in sorted(query.names):
            if not self.org.sees(query.table, name):
                raise Refusal(400, "INVALID_FIELD", f"No such column '{name}' on entity '{query.table}'")
        rows = query.rows(
            (self.org.rows if deleted else {query.table: self.org.live(query.table)})[query.table].values()
        )
        records = [{"attributes": {"type": query.table}, **row} for row in rows]
        return {"totalSize": len(records), "done": True, "records": records}

    def _retrieve(self, object_type: str, body: Any) -> Any:
        for name in body["fields"]:
            if not self.org.sees(object_type, name):
                raise Refusal(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {object_type}")
        live = self.org.rows[object_type]
        return [
            {"attributes": {"type": object_type}, **{field: live[name].get(field) for field in body["fields"]}}
            if name in live and not live[name].get("IsDeleted")
            else None
            for name in body["ids"]
        ]

    def _collection(self, method: str, body: Any, key: str | None, fault: str) -> Any:
        records = body["records"]
        if len(records) > MAX_RECORDS:
            raise Refusal(400, "INVALID_INPUT", f"record limit reached. cannot submit more than {MAX_RECORDS} records")
        ids = [record.get("id") for record in records if record.get("id")]
        if len(set(ids)) < len(ids):
            raise Refusal(400, "INVALID_INPUT", "duplicate record ids in one collection")
        results = []
        for place, record in enumerate(records):
            try:
                self.locked = fault == faults.RACE and place == 0
                name, created = self._write(method, dict(record), key)
                results.append({"id": name, "success": True, "errors": [], **({"created": created} if key else {})})
            except Fault as error:
                shown = {"statusCode": error.code, "message": error.message, "fields": error.fields, **error.more}
                results.append({"success": False, "errors": [shown]})
        return results

    def _write(self, method: str, record: dict[str, Any], key: str | None) -> tuple[str, bool]:
        if self.locked:
            raise Fault(code="UNABLE_TO_LOCK_ROW", message="unable to obtain exclusive access to this record")
        kind = record.pop("attributes")["type"]
        name = record.pop("id", None)
        if name is None and key:
            value = record.get(key)
            assert value, "an upsert carries its external id in the body"
            name = self.org.keys.get((kind, key, str(value).lower()))
        for field in record:
            if not self.org.sees(kind, field) or field in READ_ONLY:
                message = f"No such column '{field}' on sobject of type {kind}"
                raise Fault(code="INVALID_FIELD", message=message, fields=(field,))
        if self.refuses in record.items():
            message = f"{self.refuses[0]} is not allowed"
            raise Fault(code="FIELD_CUSTOM_VALIDATION_EXCEPTION", message=message, fields=(self.refuses[0],))
        if name is None:
            assert method == "POST" or key, "an update needs an id"
            name, created = self.org.create(kind, record), True
        else:
            self.org.update(kind, name, record)
            created = False
        self._note(kind, name, record)
        return name, created

    def _note(self, kind: str, name: str, record: dict[str, Any]) -> None:
        if NAMES["score"] in record:
            action = self.org.rows[kind][name].get(NAMES["action"]) or ""
            self.history.append((name, action, _text(record[NAMES["score"]])))
        if self.reverts_owner and "OwnerId" in record:
            self.org.rows[kind][name]["OwnerId"] = self.owners_by_name["human"]
        if kind == "FieldPermissions":
            self.org.hidden.discard((record["SobjectType"], record["Field"].partition(".")[2]))

    def _describe(self, object_type: str) -> Any:
        fields = [
            {
                "name": name, "type": kind, "createable": name not in READ_ONLY, "updateable": name not in READ_ONLY,
                "externalId": (object_type, name) in self.org.unique, "unique": (object_type, name) in self.org.unique,
            }
            for name, kind in self.org.types[object_type].items()
            if self.org.sees(object_type, name)
        ]  # fmt: skip
        return {"name": object_type, "fields": fields}

    def _create_field(self, full_name: str, metadata: Any) -> Any:
        object_type, _, name = full_name.partition(".")
        if name in self.org.types[object_type]:
            raise Refusal(400, "DUPLICATE_DEVELOPER_NAME", f"There is already a field named {name}")
        self.org.types[object_type][name] = _TYPES[metadata["type"]]
        self.org.hidden.add((object_type, name))
        if metadata.get("externalId") and metadata.get("unique"):
            self.org.unique.add((object_type, name))
        row = {"DeveloperName": name.removesuffix("__c"), "TableEnumOrId": object_type}
        return {"id": self.org.create("CustomField", row, by_api=False), "success": True, "errors": []}

    def _one(
        self, request: httpx2.Request, kind: str, name: str | None, value: str | None, body: Any
    ) -> tuple[int, Any]:
        """The requests about one object; the sink only deletes with them, vendors' clients use them all."""
        try:
            match request.method:
                case "DELETE" if name in self.org.live(kind):
                    self._delete(kind, str(name))
                    return 204, None
                case "DELETE" if name in self.org.rows[kind]:
                    raise Refusal(404, "ENTITY_IS_DELETED", "entity is deleted")
                case "GET" if name in self.org.live(kind):
                    return 200, {"attributes": {"type": kind}, **self.org.rows[kind][str(name)]}
                case "POST" if name is None:
                    created, _ = self._write("POST", {"attributes": {"type": kind}, **body}, None)
                    return 201, {"id": created, "success": True, "errors": []}
                case "PATCH" if value is not None:
                    record = {"attributes": {"type": kind}, **body, name: value}
                    upserted, is_new = self._write("PATCH", record, name)
                    return (201 if is_new else 200), {"id": upserted, "success": True, "created": is_new, "errors": []}
                case "PATCH" if name is not None:
                    self._write("PATCH", {"attributes": {"type": kind}, "id": name, **body}, None)
                    return 204, None
        except Fault as error:
            raise Refusal(400, error.code, error.message) from error
        raise Refusal(404, "NOT_FOUND", "The requested resource does not exist")

    def _delete(self, kind: str, name: str) -> None:
        """Moves an object to the recycle bin with its tasks: the relationship of their ``WhoId`` cascades."""
        if self.keeps_records:
            raise Fault(code="DELETE_FAILED", message="a trigger refuses the deletion")
        for task in [one for one, row in self.org.live("Task").items() if row.get("WhoId") == name]:
            self.org.drop("Task", task)
        self.org.drop(kind, name)


def _basic(request: httpx2.Request) -> dict[str, str]:
    """The client's id and secret in the header: simple-salesforce sends them there, others in the form."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    name, _, secret = b64decode(text).decode().partition(":") if scheme == "Basic" else ("", "", "")
    return {"client_id": name, "client_secret": secret}


def _kind(name: str) -> str:
    return "Lead" if name.startswith("00Q") else "Contact"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> httpx2.Response:
    headers = {"content-type": "application/json;charset=UTF-8", **(headers or {})}
    return httpx2.Response(status, content=msgspec.json.encode(body), headers=headers)


def _error(status: int, code: str, message: str) -> httpx2.Response:
    return _json(status, [{"message": message, "errorCode": code}])
