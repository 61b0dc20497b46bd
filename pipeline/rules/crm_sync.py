"""What is kept up to date in a CRM: the part ``sync`` of a connection of ``crm.yaml``."""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from pipeline.profile.rules import unique

SyncObject: TypeAlias = Literal["contacts", "leads"]
SEGMENT, SCORE, PREDICTION, TRAIT = "segment", "score", "predictions", "trait"
SEGMENTS, GRADE = "segments", "grade"
FAMILIES: Final = (SEGMENT, SCORE, PREDICTION, TRAIT)
SEPARATOR: Final = ";"
"""Between the names of segments in one field: the form of multiple choices in HubSpot and Salesforce."""
MAX_LIST: Final = 255
"""Longest text with names of segments: the size of the text fields that `stitchline crm setup` creates."""
_OURS: Final = (
    "action", "profile", "revision", "score", "grade", "reason", "segment", "trigger", "last_touch", "note"
)  # fmt: skip


class SyncField(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field of the CRM that follows a customer's profile. Stitchline owns it: it overwrites what others enter."""

    to: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
    """The CRM's internal name of the field. `stitchline crm setup` creates it if it is missing."""
    value: str
    """segment.NAME: true or false. segments: the names of the customer's segments, separated by semicolons. score.NAME,
    predictions.NAME, grade, trait.NAME. A value that the profile no longer has empties the field."""
    segments: tuple[str, ...] = ()
    """With the value segments: the segments that are listed."""
    of: tuple[SyncObject, ...] = ("contacts", "leads")
    """The types of object whose field is written."""
    decimals: Annotated[int, Meta(ge=0, le=2)] = 2
    """Decimals of a score or prediction. Fewer make fewer writes: a score decays all the time."""

    def __post_init__(self) -> None:
        family, dot, name = self.value.partition(".")
        if not (self.value in {SEGMENTS, GRADE} or (family in FAMILIES and dot and name)):
            msg = f"value {self.value!r} is no value of a profile; write for example segment.vip or score.engagement"
            raise ValueError(msg)
        if (self.value == SEGMENTS) != bool(self.segments):
            msg = f"field {self.to!r}: segments lists names for the value segments; write value: segments with a list"
            raise ValueError(msg)
        if len(SEPARATOR.join(self.segments)) > MAX_LIST:
            msg = f"field {self.to!r}: the names are longer than {MAX_LIST} characters; split them into two fields"
            raise ValueError(msg)
        _, prefix, ours = self.to.lower().removesuffix("__c").rpartition("stitchline_")
        if prefix and ours in _OURS:
            msg = f"field {self.to!r} is written with each lead; choose another name, such as {self.to}_now"
            raise ValueError(msg)
        unique("segment", list(self.segments))

    @property
    def is_membership(self) -> bool:
        """Whether the field is true or false."""
        return self.value.startswith(f"{SEGMENT}.")

    @property
    def kind(self) -> Literal["boolean", "number", "text"]:
        """The kind of field that `stitchline crm setup` creates."""
        if self.is_membership:
            return "boolean"
        return "number" if self.value.startswith((f"{SCORE}.", f"{PREDICTION}.")) else "text"

    def states(self, segment: str) -> bool:
        """Returns whether the field depends on the membership of a segment."""
        return self.value == f"{SEGMENT}.{segment}" or segment in self.segments


class CrmSync(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Segments, scores and traits that the CRM's records of known customers follow. Never creates a record."""

    fields: tuple[SyncField, ...] = ()
    consent: str = ""
    """Purpose that the customer must not have denied; the fields of others are emptied. Empty: no purpose."""
    consent_required: bool = False
    """Whether the purpose must have been granted. If false, an unknown consent permits it."""
    every_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    """Minimum time between two writes to one record. Changes in between are one write."""

    def of(self, kind: SyncObject) -> dict[str, SyncField]:
        """Returns the fields of one type of object, by their names in the CRM."""
        return {written.to: written for written in self.fields if kind in written.of}

    def __post_init__(self) -> None:
        unique("field", [written.to for written in self.fields])
        if self.consent_required and not self.consent:
            msg = "sync has consent_required without consent: write consent, or leave both out"
            raise ValueError(msg)
