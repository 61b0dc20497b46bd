"""A difference between the ledger and a CRM."""

from enum import StrEnum

import msgspec

from connectors.crm.ledger_row import LedgerRow


class Kind(StrEnum):
    """The kinds of deviations."""

    DELETED = "deleted"
    """The object is no longer in the CRM."""
    MERGED = "merged"
    """The object was merged into another one."""
    CONVERTED = "converted"
    """The lead was converted: its contact gets the next revision."""
    OLDER = "older"
    """The CRM holds a lower revision than the ledger: a stopped process has overwritten it."""
    CHANGED = "changed"
    """A user or another tool has changed fields; they are the CRM's now."""
    UNKNOWN = "unknown"
    """The CRM gave no usable answer about the object."""


class Deviation(msgspec.Struct, frozen=True):
    """One deviation."""

    row: LedgerRow
    kind: Kind
    detail: str
    """Names of fields, revisions or ids; never a value of a field."""
    survivor: str = ""
    """Of a merged or converted object: the CRM's id of the object that is left; "" if the CRM names none."""
    survivor_type: str = ""
    """The type of the object that is left."""
