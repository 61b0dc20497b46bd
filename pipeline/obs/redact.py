"""Removes personal data from log entries: fields by name, and anything that resembles an identifier in texts.

>>> Redactor(("email", "user_id"))({"event": "link held by user_id:42", "phone": "+4915112345678"})
{'event': 'link held by user_id:[redacted]', 'phone': '[redacted]'}

Profile ids stay: they have no meaning outside this system, and operators search for them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

REDACTED: Final = "[redacted]"

IDENTIFIER_TYPES: Final = (
    "user_id", "crm_contact_id", "loyalty_id", "email", "phone", "device_id", "anonymous_id", "click_id",
)  # fmt: skip
"""Identifier types of the shipped rules. A deployment with other types passes them too."""

PERSONAL_FIELDS: Final = frozenset({
    *IDENTIFIER_TYPES, "identifier", "identifiers", "anchor", "founder", "traits", "properties", "context",
    "payload", "email_address", "phone_number", "name", "first_name", "last_name", "full_name", "address", "street",
    "birthday", "ip", "ip_address", "user_agent", "contact",
})  # fmt: skip
SECRET_FIELDS: Final = re.compile(r"password|passwd|secret|token|api_?key|authorization|credential", re.IGNORECASE)

_EMAIL: Final = re.compile(r"[\w.%+'-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE: Final = re.compile(r"(?<![\w+-])(?:\+|00)\d[\d ()./-]{6,18}\d\b")
_URL_LOGIN: Final = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")


class Redactor:
    """Replaces personal data and secrets in a log entry's fields, at any depth; numbers and booleans pass."""

    def __init__(self, types: Iterable[str] = IDENTIFIER_TYPES) -> None:
        known = sorted({*IDENTIFIER_TYPES, *types}, key=len, reverse=True)
        self._fields = PERSONAL_FIELDS | set(known)
        # A value ends at a quote, bracket, comma or blank, because normalised identifiers contain none of them.
        self._identifier = re.compile(rf"\b({'|'.join(map(re.escape, known))}):[^\s,;\"'\])}}]+")

    def __call__(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the fields with personal data and secrets replaced."""
        return {key: self._field(key, value) for key, value in fields.items()}

    def text(self, text: str) -> str:
        """Returns the text without e-mail addresses, phone numbers, ``type:value`` identifiers and log-ins in URLs."""
        if ":" in text:
            text = _URL_LOGIN.sub(REDACTED, self._identifier.sub(rf"\1:{REDACTED}", text))
        if "@" in text:
            text = _EMAIL.sub(REDACTED, text)
        return _PHONE.sub(REDACTED, text) if "+" in text or "00" in text else text

    def _field(self, key: str, value: Any) -> Any:
        if value is None or value == "" or isinstance(value, bool):
            return value
        if key.lower() in self._fields or SECRET_FIELDS.search(key):
            return REDACTED
        return self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {str(key): self._field(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(item) for item in value]
        return value if isinstance(value, int | float) else self.text(str(value))
