"""The fields of BottleCRM's leads and contacts: its own, and the custom fields that the sink needs."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from connectors.crm.bottlecrm.answers import CRM, OWNER, checked
from connectors.crm.directory import Account, AccountDirectory
from connectors.crm.exchange import Answer, Call, Send, dicts_in
from connectors.crm.fault import StoppedError
from connectors.crm.gateway import Missing
from connectors.crm.sink import Pause, SinkError
from connectors.crm.typed import BOOLEAN, NUMBER, TEXT
from connectors.crm.work import kind_of, names_of
from pipeline.clock import Clock
from pipeline.rules.crm_sync import CrmSync

LEAD, CONTACT = "lead", "contact"
MODELS: Final = {LEAD: "Lead", CONTACT: "Contact"}
NAMES: Final = names_of(OWNER, lambda name: f"stitchline_{name}")
_BOTH: Final = (
    "first_name", "last_name", "email", "phone", "linkedin_url", "title", "address_line", "city", "state", "postcode",
    "country", "description", OWNER,
)  # fmt: skip
STANDARD: Final[Mapping[str, Mapping[str, str]]] = {
    LEAD: {
        **dict.fromkeys(
            (*_BOTH, "job_title", "website", "company_name", "source", "industry", "rating", "currency"), TEXT
        ),
        **dict.fromkeys(("opportunity_amount", "probability"), NUMBER),
    },
    CONTACT: dict.fromkeys((*_BOTH, "organization", "department"), TEXT),
}
"""BottleCRM's own writable fields."""
OURS: Final = {
    NAMES.action: "text", NAMES.profile: "text", NAMES.revision: "number", NAMES.score: "number", NAMES.grade: "text",
    NAMES.reason: "textarea", NAMES.segment: "text", NAMES.trigger: "text", NAMES.last_touch: "text",
}  # fmt: skip
"""Our custom fields and their types."""
SYNCED: Final = {"boolean": "checkbox", "number": "number", "text": "text"}
"""Kind of a field that follows profiles → type of the custom field that is created."""
_KINDS: Final = {"number": NUMBER, "checkbox": BOOLEAN}


class Directory(AccountDirectory):
    """The fields and users of one organisation, read again from time to time.

    Raises (every method):
        StoppedError: BottleCRM is not available now.
        SinkError: A right is missing, or the organisation lacks what `stitchline crm setup` creates.
    """

    def __init__(self, send: Send, clock: Clock, sync: CrmSync) -> None:
        super().__init__(clock)
        self._send, self._sync = send, sync

    def custom(self, object_type: str) -> dict[str, str]:
        """Returns the custom fields, name → BottleCRM's type, read now."""
        path = f"/api/custom-fields/?target_model={MODELS[object_type]}&include_counts=false"
        body = _body(self._send(Call(method="GET", path=path)))
        return {str(one.get("key")): str(one.get("field_type")) for one in dicts_in(body.get("definitions"))}

    def missing(self) -> Iterator[Missing]:
        """Yields the custom fields that are missing, and those of another type."""
        for object_type in MODELS:
            known = self.custom(object_type)
            for name, kind in OURS.items():
                if name not in known:
                    create = partial(self._create, object_type, name, kind)
                    yield Missing(f"missing: custom field {name} of {object_type}", create)
                elif known[name] != kind:
                    text = f"custom field {name} of {object_type} has type {known[name]}, not {kind}: delete it"
                    yield Missing(text, None)
            for name, field in self._sync.of(kind_of(object_type)).items():
                if name not in known and name not in STANDARD[object_type]:
                    create = partial(self._create, object_type, name, SYNCED[field.kind])
                    yield Missing(f"missing: custom field {name} of {object_type}", create)

    def _create(self, object_type: str, name: str, kind: str) -> str:
        body = {
            "target_model": MODELS[object_type], "key": name, "label": name.replace("_", " ").capitalize(),
            "field_type": kind, "is_filterable": name == NAMES.action,
        }  # fmt: skip
        failed = checked(self._send(Call(method="POST", path="/api/custom-fields/", body=body)))
        return failed.words if failed else ""

    def _read(self) -> Account:
        custom = {object_type: self.custom(object_type) for object_type in MODELS}
        if NAMES.action not in custom[LEAD]:
            message = f"{CRM} has no custom field {NAMES.action} of leads; run: stitchline crm setup NAME"
            raise SinkError(message)
        fields = {
            object_type: {**STANDARD[object_type], **{name: _KINDS.get(kind, TEXT) for name, kind in ours.items()}}
            for object_type, ours in custom.items()
        }
        users = _body(self._send(Call(method="GET", path="/api/users/?limit=1000"))).get("active_users")
        rows = dicts_in(users.get("active_users")) if isinstance(users, dict) else ()
        return Account(fields, frozenset(str(one.get("id")) for one in rows))


def _body(answer: Answer) -> dict[str, Any]:
    failed = checked(answer)
    if failed is not None or not isinstance(answer.body, dict):
        words = failed.words if failed else "an answer without content"
        raise StoppedError(Pause(0, f"{CRM} gave no usable answer, {words}"))
    return answer.body
