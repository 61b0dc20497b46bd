"""Zoho CRM in memory: logins, upserts, reads, COQL, notes, fields and users, with its answers and traps.

``tests/crm/witness`` drives it with zohocrmsdk8-0 7.0.0: a login by refresh token, an insert, an update and a duplicate
by upsert, COQL, the fields of a module, updating and deleting by id.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qs

import httpx2
import msgspec

from pipeline.rules.crm import CrmField, CrmLogin
from tests.crm import emulator as faults
from tests.crm.emulator import REFRESH, Crm
from tests.crm.zoho import shapes

NAMES = {
    "action": "Stitchline_Action", "revision": "Stitchline_Revision", "profile": "Stitchline_Profile",
    "email": "Email", "phone": "Phone", "first": "First_Name", "owner": "Owner", "reason": "Stitchline_Reason",
    "score": "Stitchline_Score", "grade": "Stitchline_Grade",
}  # fmt: skip
STANDARD = {
    "Last_Name": "text", "First_Name": "text", "Email": "email", "Phone": "phone", "Company": "text",
    "Owner": "ownerlookup",
}  # fmt: skip
CONVERSION = {"Converted__s": "boolean", "Converted_Contact": "lookup"}
CUSTOM = {
    "Action": "text", "Revision": "integer", "Profile": "text", "Reason": "textarea", "Score": "double",
    "Grade": "text", "Segment": "text", "Trigger": "text", "Last_Touch": "datetime",
}  # fmt: skip
API, BASE = "https://www.zohoapis.eu", "/crm/v8"
MAX_RECORDS, MAX_FIELDS, MAX_IN = 100, 50, 50
_INTEGER_TYPES = {"integer", "double"}
_IN = re.compile(r"select (.+) from (\w+) where (\w+) in \((.+)\) limit \d+")


class Fault(Exception):  # noqa: N818
    """An error of one record."""

    def __init__(self, *, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.shown = {"status": "error", "code": code, "message": message, "details": details}


class Refusal(Exception):  # noqa: N818
    """A request that changes nothing."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"code": code, "message": message, "status": "error", "details": {}}


class Zoho(Crm):
    """One organisation, whose leads have unique e-mail addresses."""

    name, kind, home = "Zoho", "zoho", "leads"
    connection: ClassVar = {
        "url": "https://accounts.zoho.eu",
        "login": CrmLogin(client_id="1000.ABC", refresh_token=REFRESH),
        "fields": (
            CrmField(to="Last_Name", value="contact.lastName", default="Unknown"),
            CrmField(to="Email", value="contact.email"),
            CrmField(to="Phone", value="contact.phone"),
            CrmField(to="First_Name", value="contact.firstName"),
        ),
    }
    owners_by_name: ClassVar = {
        "ann": "5725767000000411001", "gone": "5725767000000411003", "fallback": "5725767000000411002",
        "human": "5725767000000411077",
    }  # fmt: skip
    upserts = re.compile(r"POST /crm/v8/Leads/upsert")
    updates = re.compile(r"PUT /crm/v8/Leads")
    follows = re.compile(r"GET /crm/v8/Leads/\d+")
    names_survivor = False

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, dict[str, Any]]] = {"Leads": {}, "Contacts": {}, "Notes": {}}
        self.types = {"Leads": STANDARD | CONVERSION, "Contacts": dict(STANDARD)}
        self.unique = {("Leads", "Email")}
        self.index: dict[tuple[str, str, str], str] = {}
        """(module, unique field, value in lower case) → record."""
        self.credits_left: int | None = None
        """Stated in each answer from half of the use on."""
        self.api = API
        """The API's base URL, as the answer to a login states it."""
        self.logins = 0
        self.login_fault: httpx2.Response | None = None
        self.locked = False
        """Whether another transaction holds the record that is written."""
        self._tokens: set[str] = set()
        self._next = 5725767000000500000

    def prepare(self) -> None:
        for module in ("Leads", "Contacts"):
            self.types[module] |= {f"Stitchline_{name}": kind for name, kind in CUSTOM.items()}
        self.unique.add(("Leads", NAMES["action"]))

    def expire(self) -> None:
        self._tokens.clear()

    def remove_field(self, field: str) -> None:
        for module in ("Leads", "Contacts"):
            self.types[module].pop(NAMES[field], None)

    def add_fields(self, names: Sequence[str]) -> None:
        for module in ("Leads", "Contacts"):
            self.types[module] |= dict.fromkeys(names, "text")

    def is_write(self, request: httpx2.Request) -> bool:
        path = request.url.path
        return path.endswith("/Leads/upsert") or request.method in {"PUT", "DELETE"} or path == f"{BASE}/Notes"

    def refusal(self, fault: str) -> httpx2.Response | None:
        match fault:
            case faults.KEY_EXPIRED:
                return shapes.error(401, "INVALID_TOKEN", "invalid oauth token")
            case faults.SLOW_DOWN:
                return shapes.error(429, "TOO_MANY_REQUESTS", "too many concurrent requests")
            case faults.DAY_LIMIT:
                return shapes.error(429, "LIMIT_EXCEEDED", "the API credits of the day are used")
            case faults.UNAVAILABLE:
                return httpx2.Response(503, text="<html>Service Unavailable</html>")
            case faults.SERVER_ERROR:
                return shapes.error(500, "INTERNAL_ERROR", "Internal Server Error")
            case faults.RIGHT_MISSING:
                return shapes.error(401, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL")
            case faults.EMPTY:
                return shapes.answer(200, {"data": []})
        return None

    def answer(self, request: httpx2.Request, fault: str) -> httpx2.Response:
        if request.url.path == "/oauth/v2/token":
            return self._login({name: one[0] for name, one in parse_qs(request.content.decode()).items()})
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Zoho-oauthtoken" or token not in self._tokens:
            return shapes.error(401, "INVALID_TOKEN", "invalid oauth token")
        self.locked = fault == faults.RACE
        try:
            status, body = self._route(request)
        except Refusal as refusal:
            return shapes.answer(refusal.status, refusal.body)
        if fault == faults.SHORT and body and "data" in body:
            body["data"] = body["data"][: len(body["data"]) // 2]
        headers = {} if self.credits_left is None else {"X-API-CREDITS-REMAINING": str(self.credits_left)}
        return httpx2.Response(204, headers=headers) if body is None else shapes.answer(status, body, headers)

    def raw(self, lead_id: str) -> Mapping[str, Any]:
        return {**self.rows["Leads"], **self.rows["Contacts"]}[lead_id]

    def leads(self) -> dict[str, dict[str, str]]:
        rows = {name: row for module in ("Leads", "Contacts") for name, row in self.rows[module].items()}
        return {
            name: {ours: shapes.as_text(row[theirs]) for ours, theirs in NAMES.items() if row.get(theirs)}
            for name, row in rows.items()
            if not row.get("Converted__s")
        }

    def stories(self, lead_id: str) -> Sequence[str]:
        return [note["Note_Content"] for note in self.rows["Notes"].values() if note["Parent_Id"]["id"] == lead_id]

    def note_count(self) -> int:
        return len(self.rows["Notes"])

    def add_by_hand(self, email: str, **fields: str) -> str:
        self._next += 1
        self.rows["Leads"][str(self._next)] = {}
        self._put("Leads", str(self._next), {"Email": email, "Last_Name": "Hand"})
        self.edit_by_hand(str(self._next), **fields)
        return str(self._next)

    def edit_by_hand(self, lead_id: str, **fields: str) -> None:
        module = "Leads" if lead_id in self.rows["Leads"] else "Contacts"
        values: dict[str, Any] = {NAMES[name]: value or None for name, value in fields.items()}
        for name, value in values.items():
            if self.types[module][name] in _INTEGER_TYPES and value:
                values[name] = float(value)
            if name == "Owner":
                values[name] = {"id": value, "name": "A user"}
        self._put(module, lead_id, values)

    def delete_by_hand(self, lead_id: str) -> None:
        self._drop("Leads" if lead_id in self.rows["Leads"] else "Contacts", lead_id)

    def merge_by_hand(self, survivor: str, loser: str) -> str:
        lost, kept = self._drop("Leads", loser), self.rows["Leads"][survivor]
        self._put("Leads", survivor, {name: value for name, value in lost.items() if not kept.get(name)})
        self._move_notes(loser, survivor)
        return survivor

    def convert_by_hand(self, lead_id: str) -> str:
        lead = self.rows["Leads"][lead_id]
        self._next += 1
        contact = str(self._next)
        self.rows["Contacts"][contact] = {name: one for name, one in lead.items() if name in self.types["Contacts"]}
        lead |= {"Converted__s": True, "Converted_Contact": {"id": contact, "name": "A contact"}}
        self._move_notes(lead_id, contact)
        return contact

    def _login(self, form: dict[str, str]) -> httpx2.Response:
        self.logins += 1
        if self.login_fault is not None:
            return self.login_fault
        good = {
            "grant_type": "refresh_token", "refresh_token": self.secrets[REFRESH], "client_id": "1000.ABC",
            "client_secret": self.secrets[faults.SECRET],
        }  # fmt: skip
        if not good.items() <= form.items():
            return shapes.answer(400, {"error": "invalid_client_secret"})
        token = f"1000.{self.logins}"
        self._tokens.add(token)
        return shapes.answer(200, {
            "access_token": token, "api_domain": self.api, "token_type": "Bearer", "expires_in": 3600,
            "scope": "ZohoCRM.modules.ALL",
        })  # fmt: skip

    def _route(self, request: httpx2.Request) -> tuple[int, Any]:
        assert str(request.url).startswith(self.api) or request.url.host == "crm", "the API of another data centre"
        path, method, query = request.url.path.removeprefix(BASE), request.method, request.url.params
        body = msgspec.json.decode(request.content) if request.content else {}
        if path == "/settings/fields":
            return self._fields(method, query["module"], body)
        if path == "/users":
            active = {name: one for one, name in self.owners_by_name.items() if one != "gone"}
            return 200, {
                "users": [{"id": name, "status": "active"} for name in active],
                "info": {"more_records": False},
            }
        if path == "/org":
            return 200, {"org": [{"id": "5725767000000020005", "company_name": "Shop"}]}
        if path == "/coql":
            return 200, shapes.found(self._coql(body["select_query"]))
        if path == "/Leads/upsert":
            assert body["trigger"] == [], "workflows run"
            return self._write("Leads", body["data"], body.get("duplicate_check_fields"))
        if hit := re.fullmatch(r"/(Leads|Contacts|Notes)", path):
            if method == "GET":
                return 200, shapes.found(self._read(hit[1], query["ids"].split(","), query["fields"].split(","), query))
            return self._write(hit[1], body["data"], None)
        if hit := re.fullmatch(r"/(Leads|Contacts)/(\d+)/Notes", path):
            notes = self.rows["Notes"].items()
            return 200, shapes.found(
                [{"id": name, **note} for name, note in notes if note["Parent_Id"]["id"] == hit[2]]
            )
        if hit := re.fullmatch(r"/(Leads|Contacts)/(\d+)", path):
            return self._one(method, hit[1], hit[2], query)
        raise Refusal(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")

    def _read(self, module: str, ids: list[str], names: list[str], query: httpx2.QueryParams) -> list[Any]:
        if len(names) > MAX_FIELDS or len(ids) > MAX_RECORDS:
            raise Refusal(400, "LIMIT_REACHED", "too many fields or ids")
        both = query.get("converted") == "both"
        return [
            {"id": name, **{field: row.get(field) for field in names if field in self.types[module]}}
            for name in ids
            if (row := self.rows[module].get(name)) is not None and (both or not row.get("Converted__s"))
        ]

    def _coql(self, text: str) -> list[Any]:
        match = _IN.fullmatch(text)
        assert match, text
        values = [value.strip("'") for value in match[4].split(",")]
        if len(values) > MAX_IN:
            raise Refusal(400, "INVALID_QUERY", "too many values")
        found = [(value, self.index.get((match[2], match[3], value.lower()))) for value in values]
        return [{"id": name, match[3]: value} for value, name in found if name]

    def _write(self, module: str, data: list[Any], keys: list[str] | None) -> tuple[int, Any]:
        if len(data) > MAX_RECORDS:
            raise Refusal(400, "INVALID_DATA", "too many records")
        results = []
        for place, record in enumerate(data):
            try:
                if self.locked and place == 0:
                    results.append(shapes.locked())
                else:
                    results.append(self._written(module, dict(record), keys))
            except Fault as fault:
                results.append(fault.shown)
        good = sum(one["status"] == "success" for one in results)
        return (200 if good == len(results) else 207 if good else 202), {"data": results}

    def _written(self, module: str, record: dict[str, Any], keys: list[str] | None) -> dict[str, Any]:
        name = str(record.pop("id", "")) or None  # the vendor's client sends a number
        if keys is not None:
            name = next((one for key in keys if (one := self.index.get((module, key, str(record[key]).lower())))), None)
        if name is not None and name not in self.rows[module]:
            raise Fault(code="INVALID_DATA", message="the id given seems to be invalid", api_name="id")
        if name is not None and self.rows[module][name].get("Converted__s"):
            raise Fault(code="CONVERTED_RECORD", message="the record is already converted", id=name)
        if self.refuses in record.items():
            raise Fault(code="INVALID_DATA", message=f"{self.refuses[0]} is not allowed", api_name=self.refuses[0])
        if module != "Notes":
            self._validate(module, name, record)
        is_new = name is None
        if name is None:
            self._next += 1
            name = str(self._next)
            self.rows[module][name] = {}
        self._put(module, name, record)
        self._note(module, name, record)
        return {
            "status": "success", "code": "SUCCESS", "message": "record added" if is_new else "record updated",
            "action": "insert" if is_new else "update", "duplicate_field": None, "details": {"id": name},
        }  # fmt: skip

    def _validate(self, module: str, name: str | None, record: dict[str, Any]) -> None:
        for field in [field for field in record if field not in self.types[module]]:
            del record[field]  # Zoho ignores fields that it does not know
        if name is None and not record.get("Last_Name"):
            raise Fault(code="MANDATORY_NOT_FOUND", message="required field not found", api_name="Last_Name")
        for field, value in record.items():
            if value is None and field.startswith("Now_"):
                continue  # null empties a custom field
            assert value not in {None, ""} if isinstance(value, str | None) else True, (field, value)
            kind = self.types[module][field]
            if kind in _INTEGER_TYPES and not isinstance(value, int | float):
                raise Fault(code="INVALID_DATA", message="invalid data", api_name=field, expected_data_type=kind)
            if kind == "datetime" and not re.fullmatch(r"[\d-]{10}T[\d:]{8}[+-]\d\d:\d\d", value):
                raise Fault(code="INVALID_DATA", message="invalid data", api_name=field, expected_data_type=kind)
            if kind == "email" and value.endswith(".invalid"):
                raise Fault(code="INVALID_DATA", message=f"{value} is invalid", api_name=field)
            if kind == "ownerlookup" and value["id"] not in self._active():
                raise Fault(code="INVALID_DATA", message="the owner is inactive", api_name="Owner")
            other = self.index.get((module, field, str(value).lower()))
            if other not in {None, name}:
                duplicate = {"id": other, "module": {"api_name": module}}
                raise Fault(code="DUPLICATE_DATA", message="already exists", api_name=field, duplicate_record=duplicate)

    def _active(self) -> set[str]:
        return {owner for one, owner in self.owners_by_name.items() if one != "gone"}

    def _note(self, module: str, name: str, record: dict[str, Any]) -> None:
        row = self.rows[module][name]
        if NAMES["score"] in record:
            self.history.append((name, row.get(NAMES["action"]) or "", shapes.as_text(record[NAMES["score"]])))
        if self.reverts_owner and "Owner" in record:
            row["Owner"] = {"id": self.owners_by_name["human"], "name": "A user"}

    def _put(self, module: str, name: str, values: dict[str, Any]) -> None:
        row = self.rows[module][name]
        for field, value in values.items():
            if (module, field) in self.unique:
                self.index.pop((module, field, str(row.get(field, "")).lower()), None)
                if value:
                    self.index[module, field, str(value).lower()] = name
        row |= values

    def _drop(self, module: str, name: str) -> dict[str, Any]:
        row = self.rows[module].pop(name)
        for field in [field for kind, field in self.unique if kind == module and row.get(field)]:
            self.index.pop((module, field, str(row[field]).lower()), None)
        return row

    def _move_notes(self, former: str, parent: str) -> None:
        for note in self.rows["Notes"].values():
            if note["Parent_Id"]["id"] == former:
                note["Parent_Id"] = {"id": parent}

    def _one(self, method: str, module: str, name: str, query: httpx2.QueryParams) -> tuple[int, Any]:
        row = self.rows[module].get(name)
        if method == "DELETE":
            return 200, {"data": [self._delete(module, name)]}
        if row is None or (row.get("Converted__s") and query.get("converted") != "both"):
            return 204, None
        return 200, {"data": [{"id": name, **row}]}

    def _delete(self, module: str, name: str) -> dict[str, Any]:
        """Moves a record to the recycle bin with its notes. Returns the result of the record."""
        if name not in self.rows[module] or self.keeps_records:
            return Fault(code="INVALID_DATA", message="record not deleted", id=name).shown
        self._drop(module, name)
        notes = self.rows["Notes"]
        self.rows["Notes"] = {one: note for one, note in notes.items() if note["Parent_Id"]["id"] != name}
        return {"status": "success", "code": "SUCCESS", "message": "record deleted", "details": {"id": name}}

    def _fields(self, method: str, module: str, body: Any) -> tuple[int, Any]:
        if method == "GET":
            fields = [
                {
                    "api_name": name, "data_type": kind, "read_only": name in CONVERSION, "field_read_only": False,
                    "unique": {"casesensitive": False} if (module, name) in self.unique else {},
                }
                for name, kind in self.types[module].items()
            ]  # fmt: skip
            return 200, {"fields": fields}
        (field,) = body["fields"]
        name = field["field_label"].replace(" ", "_")
        self.types[module][name] = field["data_type"]
        if "unique" in field:
            self.unique.add((module, name))
        self._next += 1
        return 201, {"fields": [{"status": "success", "code": "SUCCESS", "details": {"id": str(self._next)}}]}
