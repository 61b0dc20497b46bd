"""What a dialect makes of a body: items, each with its own bytes, and the write key if the body states one."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder

from connectors.collect.request import Request
from pipeline.event.json_text import read_json
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected

Document: TypeAlias = dict[str, Any]

MAX_ITEMS: Final = 5_000
"""Items in one request; SDKs send up to a few hundred. So many take the event loop about 0.2 s."""
_members = Decoder(dict[str, Raw]).decode
_elements = Decoder(list[Raw]).decode


class Item(Struct, frozen=True, gc=False):
    """One item of a body."""

    raw: bytes
    """The item's bytes as sent. The whole body where it cannot be divided."""
    document: Document | Rejected
    """The event in the Segment spec, or why it is not one."""


class Parsed(Struct, frozen=True):
    """The items of a body in their order."""

    items: list[Item]
    key: str = ""
    """The write key that the body states."""
    ignored: int = 0
    """Items that are no events of customers, such as a webhook's tests. They are counted and not kept."""


Parse: TypeAlias = Callable[[Request], Parsed]
"""Parses a request. Pure, and raises nothing whatever the request."""


class NotAnEventError(ValueError):
    """An item has not the form of its dialect. The message names the field and quotes no value."""


def unreadable(raw: bytes, detail: str = "the body is not JSON") -> Parsed:
    """Returns a body that holds nothing readable."""
    return Parsed([Item(raw, Rejected(Reason.UNDECODABLE, detail))])


def read_object(raw: bytes) -> Document | Rejected:
    """Returns the JSON object of some bytes, or why they are none."""
    try:
        value = read_json(raw)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return Rejected(Reason.UNDECODABLE, "not JSON, not UTF-8 or nested too deeply")
    if not isinstance(value, dict):
        return Rejected(Reason.INVALID_FIELD, "must be a JSON object")
    return value


def members_of(body: bytes) -> Mapping[str, bytes] | None:
    """Returns the members of a JSON object with the bytes of their values; None if it is no strict JSON object."""
    try:
        return {name: bytes(raw) for name, raw in _members(body).items()}
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return None


def elements_of(array: bytes) -> list[bytes] | None:
    """Returns the bytes of a JSON array's elements; None if it is no strict JSON array."""
    try:
        return [bytes(raw) for raw in _elements(array)]
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return None


def text_of(value: object) -> str:
    """Returns a string value, "" for any other."""
    return value if isinstance(value, str) else ""


def object_of(value: object) -> Document:
    """Returns an object value, an empty one for any other."""
    return value if isinstance(value, dict) else {}


def item_of(raw: bytes, convert: Callable[[Document], Document]) -> Item:
    """Returns the item of some bytes; ``convert`` makes the document and may raise :class:`NotAnEventError`."""
    read = read_object(raw)
    return Item(raw, read) if isinstance(read, Rejected) else converted(raw, read, convert)


def converted(raw: bytes, read: Document, convert: Callable[[Document], Document]) -> Item:
    """Returns the item of an object that has been read."""
    try:
        return Item(raw, convert(read))
    except NotAnEventError as error:
        return Item(raw, Rejected(Reason.INVALID_FIELD, str(error)))


def items_of(body: bytes, raws: list[bytes] | None, convert: Callable[[Document], Document]) -> list[Item]:
    """Returns the items of an array whose elements have these bytes."""
    if raws is None:
        return unreadable(body, "the list of events is not a JSON array").items
    if len(raws) > MAX_ITEMS:
        return [Item(body, Rejected(Reason.TOO_LARGE, f"{len(raws)} events, the limit is {MAX_ITEMS}"))]
    return [item_of(raw, convert) for raw in raws]
