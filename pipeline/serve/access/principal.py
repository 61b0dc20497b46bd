"""The caller of one request: its tenant, what it may do, and how it appears in the audit log."""

import msgspec

from pipeline.serve.access.keys import READ_PII, ApiKey


class Principal(msgspec.Struct, frozen=True):
    """A key of the API, or a user of the console."""

    actor: str
    tenant: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Returns whether the caller has a scope."""
        return scope in self.scopes

    @property
    def sees_personal_data(self) -> bool:
        """Whether answers are sent unmasked, and recorded in the audit log."""
        return READ_PII in self.scopes


def principal_of(key: ApiKey) -> Principal:
    """Returns the caller that a key stands for. ``read:pii`` includes ``read``."""
    scopes = {*key.scopes, *(["read"] if READ_PII in key.scopes else [])}
    return Principal(f"key {key.name} ({key.key_id})", key.tenant, frozenset(scopes))
