"""The standard places of identifiers in an event as JSON."""

from typing import Any

import pytest

from pipeline.event.errors import InvalidEventError
from pipeline.event.places import identifiers_of


def found(kind: str = "track", context: dict[str, Any] | None = None, **document: Any) -> list[str]:
    return identifiers_of(document, kind, document.get("traits", {}), context or {})


def test_named_identifiers_come_first_and_each_once() -> None:
    document = {"identifiers": {"email": ["a@b.org", "a@b.org", ""], "user_id": "u"}, "anonymousId": 7, "userId": "u"}
    assert found(**document) == ["user_id:u", "anonymous_id:7", "email:a@b.org"]


def test_an_alias_links_the_previous_id_unless_it_is_the_same() -> None:
    assert found("alias", userId="u", previousId="old") == ["user_id:u", "anonymous_id:old"]
    assert found("alias", userId="u", previousId="u") == ["user_id:u"]


def test_traits_of_a_person_identify_and_those_of_an_account_do_not() -> None:
    traits = {"email": "a@b.org", "phone": 491234567, "name": "Ann"}
    assert found("identify", traits=traits) == ["email:a@b.org", "phone:491234567"]
    assert found("track", traits=traits) == []
    assert found("track", {"traits": traits}) == ["email:a@b.org", "phone:491234567"]
    assert found("group", {"traits": traits}, groupId="acme", traits=traits) == ["account_id:acme"]
    assert found("identify", traits={"email": ["a@b.org"]}) == []


def test_a_device_adds_its_advertising_id_only_if_tracking_is_allowed() -> None:
    device = {"id": "d1", "advertisingId": "ad1"}
    assert found(context={"device": device}) == ["device_id:d1"]
    assert found(context={"device": {**device, "adTrackingEnabled": True}}) == ["device_id:d1", "device_id:ad1"]
    assert found(context={"device": "d1"}) == []
    assert found(context={"device": {"id": ["d1"]}}) == []


@pytest.mark.parametrize(
    ("external", "identifiers"),
    [
        ({"id": "g1", "type": "Google-Ads Id"}, ["google_ads_id:g1"]),
        ({"id": "i1", "type": "ios.idfa"}, ["device_id:i1"]),
        ({"id": "acme", "type": "crm", "collection": "accounts"}, ["account_id:acme"]),
        ({"id": "h1", "type": "email", "encoding": "sha256"}, []),
        ({"id": "n1", "type": "crm", "encoding": "none"}, ["crm:n1"]),
        ({"id": "x", "type": "t" * 33}, []),
        ({"id": "x", "type": "--"}, []),
        ({"id": None, "type": "crm"}, []),
        ("x", []),
    ],
)
def test_external_ids_become_identifiers_unless_they_are_hashed(external: Any, identifiers: list[str]) -> None:
    assert found(context={"externalIds": [external]}) == identifiers


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"userId": True}, "userId"),
        ({"anonymousId": {"id": 1}}, "anonymousId"),
        ({"identifiers": "email"}, "identifiers"),
        ({"identifiers": {"a:b": "x"}}, "identifiers"),
        ({"identifiers": {"email": [1.5]}}, "identifiers.email"),
    ],
)
def test_a_named_identifier_of_another_type_is_refused(document: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        found(**document)
    assert caught.value.field == field


def test_php_writes_an_empty_object_as_an_array() -> None:
    assert found(identifiers=[], userId="u") == ["user_id:u"]
