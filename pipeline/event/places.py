"""The standard places of identifiers in an event as JSON.

``userId``, ``anonymousId``, an alias's ``previousId``, ``identifiers``, ``groupId`` (an account, never a person),
``context.device``, ``context.externalIds``, and e-mail and phone of the person's traits.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipeline.event.errors import InvalidEventError
from pipeline.event.identifier import Identifier, identifier

ACCOUNT: Final = "account_id"
DEVICE: Final = "device_id"
_TRAIT_IDENTIFIERS: Final = ("email", "phone")
_ADVERTISING: Final = re.compile(r".*(idfa|idfv|gaid|aaid|advertising_?id)")
_NO_WORD: Final = re.compile(r"[^a-z0-9]+")
_MAX_TYPE_CHARS: Final = 32

Named = Iterator[tuple[str, str]]
"""Types and values; an empty value means that there is no identifier."""


def identifiers_of(
    document: Mapping[str, Any], kind: str, traits: Mapping[str, Any], context: Mapping[str, Any]
) -> list[Identifier]:
    """Returns all identifiers, unique, by type in order of first appearance, ``userId`` and ``anonymousId`` first.

    Ignores the traits of a group call, which describe the account and identify no person.

    Raises:
        InvalidEventError: an explicitly named identifier is neither a string nor an integer.
    """
    user, anonymous = scalar("userId", document.get("userId")), scalar("anonymousId", document.get("anonymousId"))
    others: list[tuple[str, str]] = []
    if kind == "alias" and (previous := scalar("previousId", document.get("previousId"))) != user:
        others.append(("anonymous_id", previous))  # an alias of an id with itself links nothing
    if "groupId" in document:
        others.append((ACCOUNT, scalar("groupId", document["groupId"])))
    if "identifiers" in document:
        others += _declared(document["identifiers"])
    if kind == "identify":
        others += _of_traits("traits", traits)
    if "traits" in context and kind != "group":
        others += _of_traits("context.traits", context["traits"])
    if "device" in context:
        others += _of_device(context["device"])
    if "externalIds" in context:
        others += _external(context["externalIds"])
    grouped: dict[str, dict[str, None]] = {"user_id": {user: None}, "anonymous_id": {anonymous: None}}
    for name, value in others:
        if value:
            grouped.setdefault(name, {})[value] = None
    return [identifier(name, value) for name, values in grouped.items() for value in values if value]


def scalar(field: str, value: object) -> str:
    """Returns an id as text: strings unchanged, integers in decimal, "" for null.

    Raises:
        InvalidEventError: the value has another type; the message names the field.
    """
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InvalidEventError(field, f"must be a string or an integer, not {json_type(value)}")
    return str(value)


def json_type(value: object) -> str:
    """Returns JSON's name for the type of a value, with its article."""
    names = {dict: "an object", list: "an array", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "this type")


def _declared(identifiers: object) -> Named:
    """Yields types and values of the ``identifiers`` object."""
    field = "identifiers"
    if identifiers is None or identifiers == []:
        return
    if not isinstance(identifiers, dict):
        raise InvalidEventError(field, 'must be an object of type to value or values: {"email": "a@b.org"}')
    for kind, values in identifiers.items():
        if not kind or ":" in kind:
            raise InvalidEventError(field, "a type is a word such as email or loyalty_id, with no colon")
        for value in values if isinstance(values, list) else [values]:
            yield kind, scalar(f"identifiers.{kind}", value)


def _of_traits(field: str, traits: object) -> Named:
    """Yields e-mail and phone of the traits; nothing if the traits are not an object."""
    if isinstance(traits, dict):
        for name in _TRAIT_IDENTIFIERS:
            value = traits.get(name)
            if isinstance(value, (str, int)):
                yield name, scalar(f"{field}.{name}", value)


def _of_device(device: object) -> Named:
    """Yields the device's id, and its advertising id if the device reports that tracking is allowed."""
    if isinstance(device, dict):
        yield DEVICE, _text(device.get("id"))
        if device.get("adTrackingEnabled") is True:
            yield DEVICE, _text(device.get("advertisingId"))


def _external(ids: object) -> Named:
    """Yields external ids, ``{"id", "type", "collection", "encoding"}`` each. Skips hashed ids: they match no other."""
    for item in ids if isinstance(ids, list) else ():
        if isinstance(item, dict) and item.get("encoding") in (None, "", "none"):
            kind = _NO_WORD.sub("_", _text(item.get("type")).lower()).strip("_")
            if item.get("collection") in ("accounts", "groups"):
                kind = ACCOUNT
            elif _ADVERTISING.fullmatch(kind):
                kind = DEVICE
            if kind and len(kind) <= _MAX_TYPE_CHARS:
                yield kind, _text(item.get("id"))


def _text(value: object) -> str:
    """Returns an id as text; "" if the value cannot be an id."""
    return str(value) if type(value) in (str, int) else ""
