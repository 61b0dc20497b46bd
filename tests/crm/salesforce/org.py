"""The state of a Salesforce org: objects with fields, the recycle bin, duplicate rules, conversion and merges."""

from typing import Any

PREFIXES = {
    "Lead": "00Q", "Contact": "003", "Task": "00T", "User": "005", "Group": "00G", "PermissionSet": "0PS",
    "FieldPermissions": "01k", "PermissionSetAssignment": "0Pa", "CustomField": "00N",
}  # fmt: skip
STANDARD = {
    "Lead": {
        "Id": "id", "LastName": "string", "FirstName": "string", "Company": "string", "Email": "email",
        "Phone": "phone", "OwnerId": "reference", "IsConverted": "boolean", "ConvertedContactId": "reference",
        "IsDeleted": "boolean", "MasterRecordId": "reference",
    },
    "Contact": {
        "Id": "id", "LastName": "string", "FirstName": "string", "Email": "email", "Phone": "phone",
        "OwnerId": "reference", "IsDeleted": "boolean", "MasterRecordId": "reference",
    },
    "Task": {"Id": "id", "WhoId": "reference", "Subject": "combobox", "Description": "textarea", "Status": "picklist"},
    "User": {"Id": "id", "IsActive": "boolean"},
    "Group": {"Id": "id", "Type": "picklist"},
    "PermissionSet": {"Id": "id", "Name": "string", "Label": "string"},
    "FieldPermissions": {
        "Id": "id", "ParentId": "reference", "SobjectType": "picklist", "Field": "picklist",
        "PermissionsRead": "boolean", "PermissionsEdit": "boolean",
    },
    "PermissionSetAssignment": {"Id": "id", "AssigneeId": "reference", "PermissionSetId": "reference"},
    "CustomField": {"Id": "id", "DeveloperName": "string", "TableEnumOrId": "string"},
}  # fmt: skip
READ_ONLY = {"Id", "IsConverted", "ConvertedContactId", "IsDeleted", "MasterRecordId"}
REQUIRED = {"Lead": ("LastName", "Company"), "Contact": ("LastName",)}


class Fault(Exception):  # noqa: N818
    """An error of one record."""

    def __init__(self, code: str, message: str, fields: tuple[str, ...] = (), **more: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.fields, self.more = code, message, list(fields), more


class Org:
    """Objects by type and id."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in PREFIXES}
        self.types = {name: dict(fields) for name, fields in STANDARD.items()}
        self.unique: set[tuple[str, str]] = set()
        """(object type, field) of unique external ids."""
        self.hidden: set[tuple[str, str]] = set()
        """Fields without field-level security: neither seen nor written by the user."""
        self.keys: dict[tuple[str, str, str], str] = {}
        """(object type, unique field, value in lower case) → id."""
        self.emails: dict[tuple[str, str], str] = {}
        """(object type, e-mail address in lower case) → id, for the duplicate rule."""
        self._next = 0

    def live(self, object_type: str) -> dict[str, dict[str, Any]]:
        """The objects that are not in the recycle bin."""
        return {name: row for name, row in self.rows[object_type].items() if not row.get("IsDeleted")}

    def sees(self, object_type: str, name: str) -> bool:
        """Whether the user may read and write a field."""
        return name in self.types[object_type] and (object_type, name) not in self.hidden

    def create(self, object_type: str, values: dict[str, Any], *, by_api: bool = True) -> str:
        """Creates an object. Raises Fault."""
        self._next += 1
        name = f"{PREFIXES[object_type]}{self._next:012d}AAA"
        if by_api:
            missing = tuple(one for one in REQUIRED.get(object_type, ()) if not values.get(one))
            if missing:
                raise Fault(
                    code="REQUIRED_FIELD_MISSING",
                    message=f"Required fields are missing: {list(missing)}",
                    fields=missing,
                )
            self._validate(object_type, name, values)
            self._find_duplicates(object_type, values)
        self.rows[object_type][name] = {"Id": name, "IsDeleted": False}
        if object_type == "Lead":
            self.rows[object_type][name] |= {"IsConverted": False, "ConvertedContactId": None}
        self.put(object_type, name, values)
        return name

    def update(self, object_type: str, name: str, values: dict[str, Any]) -> None:
        """Updates an object. Raises Fault."""
        row = self.rows[object_type].get(name)
        if row is None:
            raise Fault(code="INVALID_CROSS_REFERENCE_KEY", message="invalid cross reference id")
        if row.get("IsDeleted"):
            raise Fault(code="ENTITY_IS_DELETED", message="entity is deleted")
        if row.get("IsConverted"):
            raise Fault(code="CANNOT_UPDATE_CONVERTED_LEAD", message="cannot reference converted lead")
        self._validate(object_type, name, values)
        self.put(object_type, name, values)

    def put(self, object_type: str, name: str, values: dict[str, Any]) -> None:
        """Changes fields without any check."""
        row = self.rows[object_type][name]
        for field, value in values.items():
            if (object_type, field) in self.unique:
                self.keys.pop((object_type, field, str(row.get(field, "")).lower()), None)
                if value:
                    self.keys[object_type, field, str(value).lower()] = name
        if "Email" in values and object_type in {"Lead", "Contact"}:
            self.emails.pop((object_type, str(row.get("Email", "")).lower()), None)
            self.emails[object_type, str(values["Email"]).lower()] = name
        row |= values

    def drop(self, object_type: str, name: str, master: str | None = None) -> None:
        """Moves an object to the recycle bin; its unique values are free again."""
        row = self.rows[object_type][name]
        self.put(object_type, name, {field: None for kind, field in self.unique if kind == object_type})
        self.emails = {key: one for key, one in self.emails.items() if one != name}
        row |= {"IsDeleted": True, "MasterRecordId": master}

    def merge(self, object_type: str, survivor: str, loser: str) -> None:
        """The survivor keeps its id and gets the values that it lacks."""
        lost = dict(self.rows[object_type][loser])
        self.drop(object_type, loser, master=survivor)
        kept = self.rows[object_type][survivor]
        self.put(object_type, survivor, {name: one for name, one in lost.items() if not kept.get(name)})
        self._move_tasks(loser, survivor)

    def convert(self, lead: str) -> str:
        """Turns a lead into a contact. The lead becomes read-only; custom fields are mapped to those of the contact."""
        values = {
            name: one
            for name, one in self.rows["Lead"][lead].items()
            if name in self.types["Contact"] and name not in READ_ONLY and one
        }
        self.emails.pop(("Lead", str(values.get("Email", "")).lower()), None)
        contact = self.create("Contact", values, by_api=False)
        self.rows["Lead"][lead] |= {"IsConverted": True, "ConvertedContactId": contact}
        self._move_tasks(lead, contact)
        return contact

    def _move_tasks(self, former: str, who: str) -> None:
        for task in self.rows["Task"].values():
            if task.get("WhoId") == former:
                task["WhoId"] = who

    def _validate(self, object_type: str, name: str, values: dict[str, Any]) -> None:
        for field, value in values.items():
            if value is None and field not in STANDARD.get(object_type, {}) and not field.startswith("Stitchline_"):
                continue  # null empties a custom field
            if value in {None, ""} or not isinstance(value, bool | int | float | str):
                raise Fault(
                    code="INVALID_TYPE_ON_FIELD_IN_RECORD",
                    message=f"{field}: an empty or nested value",
                    fields=(field,),
                )
            kind = self.types[object_type][field]
            if kind in {"double", "int"} and not isinstance(value, int | float):
                raise Fault(code="JSON_PARSER_ERROR", message=f"{field}: a number is expected", fields=(field,))
            if kind == "email" and str(value).endswith(".invalid"):
                message = f"{field}: invalid email address: {value} is invalid"
                raise Fault(code="INVALID_EMAIL_ADDRESS", message=message, fields=(field,))
            if (object_type, field) in self.unique:
                other = self.keys.get((object_type, field, str(value).lower()))
                if other and other != name:
                    message = f"duplicate value found: {field} duplicates value on record with id: {other}"
                    raise Fault(code="DUPLICATE_VALUE", message=message)
        owner = values.get("OwnerId")
        if owner and not (owner in self.rows["Group"] or self.rows["User"].get(owner, {}).get("IsActive")):
            raise Fault(
                code="INACTIVE_OWNER_OR_USER", message="operation performed with inactive user", fields=("OwnerId",)
            )
        who = values.get("WhoId")
        if object_type == "Task" and who and self.rows["Lead"].get(who, {}).get("IsConverted"):
            raise Fault(code="CANNOT_UPDATE_CONVERTED_LEAD", message="cannot reference converted lead")

    def _find_duplicates(self, object_type: str, values: dict[str, Any]) -> None:
        if object_type != "Lead" or not values.get("Email"):
            return
        for kind in ("Lead", "Contact"):
            if other := self.emails.get((kind, str(values["Email"]).lower())):
                record = {"attributes": {"type": kind}, "Id": other}
                result = {"matchResults": [{"entityType": kind, "matchRecords": [{"record": record}]}]}
                raise Fault(code="DUPLICATES_DETECTED", message="Use one of these records?", duplicateResult=result)
