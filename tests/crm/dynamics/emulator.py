"""Dynamics 365 in memory: logins, upserts by id, ``$batch``, queries and metadata, with Dataverse's answers.

``tests/crm/witness`` drives it with dynamics-web-api 2.5.0: upserts with and without a representation, conditions, a
refused record, a batch that continues on errors, queries and deleting.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote
from uuid import UUID, uuid4

import httpx2
import msgspec

from pipeline.rules.crm import CrmField, CrmLogin
from tests.crm import emulator as faults
from tests.crm.dynamics.batch import answer_of, requests_of
from tests.crm.emulator import Crm

NAMES = {
    "action": "new_stitchline_action", "revision": "new_stitchline_revision", "profile": "new_stitchline_profile",
    "email": "emailaddress1", "phone": "telephone1", "first": "firstname", "owner": "_ownerid_value",
    "reason": "new_stitchline_reason", "score": "new_stitchline_score", "grade": "new_stitchline_grade",
}  # fmt: skip
STANDARD = {
    "firstname": "String", "lastname": "String", "emailaddress1": "String", "telephone1": "String",
    "companyname": "String", "ownerid": "Owner", "statecode": "State", "createdon": "DateTime",
}  # fmt: skip
CUSTOM = {
    "action": "String", "revision": "Integer", "profile": "String", "reason": "Memo", "score": "Decimal",
    "grade": "String", "segment": "String", "trigger": "String", "last_touch": "DateTime",
}  # fmt: skip
SETS = {"leads": "leadid", "contacts": "contactid", "annotations": "annotationid"}
TABLES = {"leads": "lead", "contacts": "contact"}
LOOKUPS = {"_ownerid_value", "_masterid_value", "_parentcontactid_value", "_originatingleadid_value", "merged"}
NUMBERS = {"Integer", "Decimal", "Double"}
BASE = "/api/data/v9.2"
TENANT = "11111111-0000-0000-0000-000000000001"
MAX_PARTS = 1000
_IN = re.compile(r"Microsoft\.Dynamics\.CRM\.In\(PropertyName='(\w+)',PropertyValues=\[(.*?)\]\)(.*)")


class Refusal(Exception):  # noqa: N818
    """A request that changes nothing."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code

    def answer(self) -> httpx2.Response:
        return _error(self.status, self.code, str(self))


class Dynamics(Crm):
    """One environment."""

    name, kind, home = "Dynamics", "dynamics", "lead"
    connection: ClassVar = {
        "url": "https://shop.crm4.dynamics.com",
        "login": CrmLogin(client_id="app", tenant_id=TENANT),
        "fields": (
            CrmField(to="lastname", value="contact.lastName"),
            CrmField(to="emailaddress1", value="contact.email"),
            CrmField(to="telephone1", value="contact.phone"),
            CrmField(to="firstname", value="contact.firstName"),
        ),
    }
    owners_by_name: ClassVar = {
        "ann": "aaaaaaaa-0000-0000-0000-000000000010", "gone": "aaaaaaaa-0000-0000-0000-000000000030",
        "fallback": "bbbbbbbb-0000-0000-0000-000000000020", "human": "aaaaaaaa-0000-0000-0000-000000000077",
    }  # fmt: skip
    """The fallback is a team."""
    upserts = re.compile(r"POST .*/\$batch")
    updates = re.compile(r"POST .*/\$batch")
    follows = re.compile(r"GET .*/leads\(.*")
    adopts = False

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in SETS}
        self.types = {"leads": dict(STANDARD), "contacts": dict(STANDARD)}
        self.logins = 0
        self.login_fault: httpx2.Response | None = None
        self.published = 0
        self.continues = True
        """Whether ``odata.continue-on-error`` has an effect."""
        self._tokens: set[str] = set()

    def prepare(self) -> None:
        for types in self.types.values():
            types |= {f"new_stitchline_{name}": kind for name, kind in CUSTOM.items()}

    def expire(self) -> None:
        self._tokens.clear()

    def remove_field(self, field: str) -> None:
        for types in self.types.values():
            types.pop(NAMES[field], None)

    def add_fields(self, names: Sequence[str]) -> None:
        for entities in self.types:
            self.types[entities] |= dict.fromkeys(names, "String")

    def is_write(self, request: httpx2.Request) -> bool:
        return request.method == "DELETE" or request.url.path.endswith("/$batch")

    def refusal(self, fault: str) -> httpx2.Response | None:
        limit = "Number of requests exceeded the limit of 6000, measured over a time window of 300 seconds."
        match fault:
            case faults.KEY_EXPIRED:
                return httpx2.Response(401)
            case faults.SLOW_DOWN:
                return _error(429, "0x80072322", limit, {"Retry-After": "12"})
            case faults.DAY_LIMIT:
                return _error(429, "0x80072321", "Combined execution time exceeded the limit", {"Retry-After": "3600"})
            case faults.UNAVAILABLE:
                return httpx2.Response(503, text="The service is unavailable.")
            case faults.SERVER_ERROR:
                return _error(500, "0x80040216", "An unexpected error occurred.")
            case faults.RIGHT_MISSING:
                return _error(403, "0x80040220", "Principal user is missing prvCreateLead privilege")
            case faults.EMPTY:
                return answer_of([])
        return None

    def answer(self, request: httpx2.Request, fault: str) -> httpx2.Response:
        if request.url.path == f"/{TENANT}/oauth2/v2.0/token":
            return self._login({name: one[0] for name, one in parse_qs(request.content.decode()).items()})
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._tokens:
            return httpx2.Response(401)
        if not request.url.path.endswith("/$batch"):
            return self._answer(request)
        parts = requests_of(request)
        if len(parts) > MAX_PARTS:
            return _error(400, "0x80048d19", "The batch message contains more requests than allowed")
        answers: list[httpx2.Response] = []
        goes_on = self.continues and "continue-on-error" in request.headers.get("prefer", "")
        for part in parts:
            locked = fault == faults.RACE and not answers
            answers.append(_locked() if locked else self._answer(part))
            if answers[-1].is_error and not goes_on:
                break
        return answer_of(answers[: len(answers) // 2] if fault == faults.SHORT else answers)

    def raw(self, lead_id: str) -> Mapping[str, Any]:
        return {**self.rows["leads"], **self.rows["contacts"]}[lead_id]

    def leads(self) -> dict[str, dict[str, str]]:
        rows = {**self.rows["leads"], **self.rows["contacts"]}
        return {
            name: {ours: _text(row[theirs]) for ours, theirs in NAMES.items() if row.get(theirs)}
            for name, row in rows.items()
            if not row.get("merged") and row.get("statecode") != 1
        }

    def stories(self, lead_id: str) -> Sequence[str]:
        return [note["notetext"] for note in self.rows["annotations"].values() if note["objectid"] == lead_id]

    def note_count(self) -> int:
        return len(self.rows["annotations"])

    def add_by_hand(self, email: str, **fields: str) -> str:
        name = str(uuid4())
        self.rows["leads"][name] = {"emailaddress1": email, "statecode": 0}
        self.edit_by_hand(name, **fields)
        return name

    def edit_by_hand(self, lead_id: str, **fields: str) -> None:
        entities = "leads" if lead_id in self.rows["leads"] else "contacts"
        values: dict[str, Any] = {NAMES[name]: value or None for name, value in fields.items()}
        for name, value in values.items():
            if self.types[entities].get(name) in NUMBERS and value:
                values[name] = float(value)
        self.rows[entities][lead_id] |= values

    def delete_by_hand(self, lead_id: str) -> None:
        for rows in self.rows.values():
            rows.pop(lead_id, None)
        notes = self.rows["annotations"]
        self.rows["annotations"] = {name: note for name, note in notes.items() if note["objectid"] != lead_id}

    def merge_by_hand(self, survivor: str, loser: str) -> str:
        lost, kept = self.rows["leads"][loser], self.rows["leads"][survivor]
        kept |= {name: value for name, value in lost.items() if not kept.get(name)}
        lost |= {"merged": True, "_masterid_value": survivor, "statecode": 2}
        for note in self.rows["annotations"].values():
            if note["objectid"] == loser:
                note["objectid"] = survivor
        return survivor

    def convert_by_hand(self, lead_id: str) -> str:
        lead, contact = self.rows["leads"][lead_id], str(uuid4())
        copied = {name: one for name, one in lead.items() if name in self.types["contacts"] or name in LOOKUPS}
        self.rows["contacts"][contact] = {**copied, "_originatingleadid_value": lead_id, "statecode": 0}
        lead["statecode"] = 1
        return contact

    def _login(self, form: dict[str, str]) -> httpx2.Response:
        self.logins += 1
        if self.login_fault is not None:
            return self.login_fault
        good = {
            "grant_type": "client_credentials", "client_id": "app", "client_secret": self.secrets[faults.SECRET],
            "scope": "https://shop.crm4.dynamics.com/.default",
        }  # fmt: skip
        if form != good:
            return _json(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret"})
        token = f"ey.{self.logins}"
        self._tokens.add(token)
        return _json(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return self._route(request)
        except Refusal as refusal:
            return refusal.answer()

    def _route(self, request: httpx2.Request) -> httpx2.Response:
        path, method = unquote(request.url.path).removeprefix(BASE), request.method
        if hit := re.fullmatch(r"/(leads|contacts|annotations)\(([0-9a-f-]{36})\)", path):
            return self._one(request, hit[1], str(UUID(hit[2])))
        if (hit := re.fullmatch(r"/(leads|contacts|annotations)", path)) and method == "POST":
            return self._put(request, hit[1], str(uuid4()), created=True)
        if hit := re.fullmatch(r"/(leads|contacts|systemusers|teams)", path):
            return _json(200, {"value": self._query(hit[1], request.url.params)})
        if hit := re.fullmatch(r"/EntityDefinitions\(LogicalName='(lead|contact)'\)/Attributes", path):
            return self._columns(request, f"{hit[1]}s")
        if path == "/organizations":
            return _json(200, {"value": [{"languagecode": 1031}]})
        if path == "/PublishXml" and method == "POST":
            self.published += 1
            return httpx2.Response(204)
        raise Refusal(404, "0x8006088a", f"Resource not found for the segment '{path}'.")

    def _query(self, entities: str, params: httpx2.QueryParams) -> list[dict[str, Any]]:
        column, condition = params["$select"].split(","), params.get("$filter", "")
        if entities in self.types:
            for name in column:
                self._known(entities, name)
        if match := _IN.fullmatch(condition):
            wanted = {one.strip("'") for one in match[2].split(",")}
            if entities in {"systemusers", "teams"}:
                return [{column[0]: name} for name in sorted(wanted & self._owners(entities))]
            if match[1] == SETS[entities]:
                rows = {name: self.rows[entities][name] for name in sorted(wanted) if name in self.rows[entities]}
            else:
                held = self.rows[entities].items()
                rows = {name: row for name, row in held if row.get(match[1]) in wanted and row["statecode"] == 0}
        elif condition:
            name, _, value = condition.partition(" eq ")
            rows = {one: row for one, row in self.rows[entities].items() if row.get(name) == value}
        else:
            rows = self.rows[entities]
        return [{SETS[entities]: one, **{name: row.get(name) for name in column if name != SETS[entities]}}
                for one, row in rows.items()]  # fmt: skip

    def _owners(self, entities: str) -> set[str]:
        team = self.owners_by_name["fallback"]
        if entities == "teams":
            return {team}
        return {owner for name, owner in self.owners_by_name.items() if name != "gone" and owner != team}

    def _known(self, entities: str, name: str) -> None:
        if name not in self.types[entities] and name not in LOOKUPS | {SETS[entities]}:
            message = f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{TABLES[entities]}'."
            raise Refusal(400, "0x80060888", message)

    def _one(self, request: httpx2.Request, entities: str, name: str) -> httpx2.Response:
        row = self.rows[entities].get(name)
        if row is None and (request.method in {"GET", "DELETE"} or request.headers.get("if-match") == "*"):
            raise Refusal(404, "0x80040217", f"{entities} With Id = {name} Does Not Exist")
        if request.method == "DELETE":
            if self.keeps_records:
                raise Refusal(400, "0x80040265", "A plug-in refuses the deletion.")
            self.delete_by_hand(name)
            return httpx2.Response(204)
        if request.method == "GET":
            return _json(200, {SETS[entities]: name, **(row or {})})
        if row is not None and request.headers.get("if-none-match") == "*":
            raise Refusal(412, "0x80040237", "A record with matching key values already exists.")
        return self._put(request, entities, name, created=row is None)

    def _put(self, request: httpx2.Request, entities: str, name: str, *, created: bool) -> httpx2.Response:
        values = self._checked(entities, name, msgspec.json.decode(request.content))
        if created and request.headers.get("mscrm.suppressduplicatedetection") == "false":
            emails = {str(row.get("emailaddress1", "")).lower() for row in self.rows[entities].values()}
            if str(values.get("emailaddress1", "")).lower() in emails:
                raise Refusal(412, "0x80040333", "A duplicate record was found.")
        row = self.rows[entities].setdefault(name, {"statecode": 0})
        row |= values
        if NAMES["score"] in values:
            self.history.append((name, row.get(NAMES["action"]) or "", _text(values[NAMES["score"]])))
        if self.reverts_owner and "_ownerid_value" in values:
            row["_ownerid_value"] = self.owners_by_name["human"]
        headers = {"OData-EntityId": f"https://shop.crm4.dynamics.com{BASE}/{entities}({name})"}
        if "return=representation" not in request.headers.get("prefer", ""):
            return httpx2.Response(204, headers=headers)
        wanted = request.url.params.get("$select", "").split(",")
        shown = {SETS[entities]: name, **{one: row[one] for one in wanted if one in row}}
        return _json(201 if created else 200, shown, headers)

    def _checked(self, entities: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """The values to store. Raises Refusal."""
        values: dict[str, Any] = {}
        for field, value in body.items():
            if field == "ownerid@odata.bind":
                owner = re.fullmatch(r"/?(systemusers|teams)\((.+)\)", value)
                if owner is None or owner[2] not in self._owners(owner[1]):
                    raise Refusal(400, "0x80040225", "The specified user is disabled.")
                values["_ownerid_value"] = owner[2]
            elif entities == "annotations" and (hit := re.fullmatch(r"objectid_(lead|contact)@odata.bind", field)):
                values["objectid"] = self._parent(hit[1], value)
            else:
                values[field] = value
                if entities != "annotations":
                    self._valid(entities, field, value)
        if entities == "leads" and self.rows["leads"].get(name, {}).get("statecode") == 1:
            raise Refusal(400, "0x80040203", "The lead is qualified and read-only.")
        return values

    def _parent(self, table: str, value: str) -> str:
        hit = re.fullmatch(rf"/{table}s\((.+)\)", value)
        if hit is None or hit[1] not in self.rows[f"{table}s"]:
            raise Refusal(404, "0x80040217", f"{table} does not exist")
        return hit[1]

    def _valid(self, entities: str, field: str, value: Any) -> None:
        if field not in self.types[entities]:
            message = f"The property '{field}' does not exist on type 'Microsoft.Dynamics.CRM.{TABLES[entities]}'."
            raise Refusal(400, "0x80048d19", message)
        if value is None and field.startswith("new_") and "stitchline" not in field:
            return  # null empties a custom column
        assert value not in {None, ""}, field
        if self.types[entities][field] in NUMBERS and not isinstance(value, int | float):
            raise Refusal(400, "0x80048d19", f"Cannot convert the literal '{value}' of {field} to a number")
        if (field, value) == self.refuses:
            raise Refusal(400, "0x80040203", f"{field} is not allowed")
        if field == "emailaddress1" and value.endswith(".invalid"):
            raise Refusal(400, "0x80040203", f"The e-mail address {value} is invalid")

    def _columns(self, request: httpx2.Request, entities: str) -> httpx2.Response:
        if request.method == "GET":
            fixed = {"statecode", "createdon"}
            return _json(200, {"value": [
                {"LogicalName": name, "AttributeType": kind, "IsValidForCreate": name not in fixed,
                 "IsValidForUpdate": name not in fixed}
                for name, kind in self.types[entities].items()
            ]})  # fmt: skip
        body = msgspec.json.decode(request.content)
        (label,) = body["DisplayName"]["LocalizedLabels"]
        if label["LanguageCode"] != 1031 or not body["SchemaName"].startswith("new_"):
            raise Refusal(400, "0x80044363", "The label has no language of the organisation, or the name no prefix")
        assert body["@odata.type"] == f"Microsoft.Dynamics.CRM.{body['AttributeType']}AttributeMetadata"
        self.types[entities][body["SchemaName"].lower()] = body["AttributeType"]
        return httpx2.Response(204)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> httpx2.Response:
    headers = {"content-type": "application/json; odata.metadata=minimal", **(headers or {})}
    return httpx2.Response(status, content=msgspec.json.encode(body), headers=headers)


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> httpx2.Response:
    return _json(status, {"error": {"code": code, "message": message}}, headers)


def _locked() -> httpx2.Response:
    return _error(412, "0x80040237", "A record with matching key values already exists.")
