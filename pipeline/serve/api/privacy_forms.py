"""The forms of requests and answers about a person's rights, for the API's description."""

from typing import Annotated

import msgspec

from pipeline.privacy.progress import StageProgress
from pipeline.serve.api.forms import Object

Identifier = Annotated[
    str, msgspec.Meta(min_length=1, max_length=500, description="Any identifier of the person, type:value.")
]
Why = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=500, pattern=r"\S", description="The reason, as it appears in the log of identity."
    ),
]


class AccessRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A request to write out what is held about the person that owns an identifier."""

    identifier: Identifier


class RightRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A request to erase the person that owns an identifier, or to refuse or admit its events."""

    identifier: Identifier
    why: Why


class AccessAnswer(msgspec.Struct):
    """Everything that is held about a person: `stitchline privacy access`."""

    tenant: str
    written_at: str
    identifiers: list[str]
    profile_ids: list[str]
    """Current and former ids."""
    profile: Object | None
    links: list[Object]
    records: dict[str, list[Object]]
    """By topic."""


class RequestAnswer(msgspec.Struct):
    """A request that Kafka holds. It is carried out while workers run."""

    request: str
    kind: str
    """erase, opt_out or opt_in."""
    status: str
    """Path of its status, also in the header Location."""


class StatusAnswer(msgspec.Struct):
    """How far a request has come."""

    request: str
    kind: str
    requested_ms: int
    identifiers: int
    """Number of marked identifiers, the profile id among them."""
    complete: bool
    """Whether every partition has carried it out."""
    stages: list[StageProgress]


COMPONENTS: tuple[type, ...] = (AccessRequest, RightRequest, AccessAnswer, RequestAnswer, StatusAnswer)
"""Every struct that the description of these routes refers to."""
