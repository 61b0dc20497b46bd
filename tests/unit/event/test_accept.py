"""Accepting JSON documents as events."""

import json
from typing import Any

import pytest

from pipeline.event.accept import Accepted, Acceptor
from pipeline.event.model import Event
from pipeline.event.parse import Defaults
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected
from pipeline.event.rules import DEFAULT_TYPES, IntakeRules
from pipeline.rules.normalisers import normalisers
from pipeline.testing.build import event_json

DEFAULTS = Defaults(source="shop", tenant="t")
WIDE = 2**64


@pytest.fixture(scope="module")
def acceptor() -> Acceptor:
    return Acceptor(IntakeRules(), DEFAULT_TYPES, normalisers("DE"))


def encode(event: Event) -> bytes:
    """Encodes identifiers and properties; refuses integers of more than 64 bits, as Avro does."""
    if any(isinstance(value, int) and value >= WIDE for value in event.properties.values()):
        raise OverflowError
    return json.dumps([event.identifiers, event.properties]).encode()


def accept(acceptor: Acceptor, **fields: Any) -> Accepted | Rejected:
    return acceptor.accept_document(event_json(1, **fields), DEFAULTS, encode)


def test_a_document_becomes_a_normalised_event_and_its_bytes_as_sent(acceptor: Acceptor) -> None:
    result = accept(acceptor, identifiers={"email": "Ann@Shop.Example"}, properties={"size": 42})
    assert isinstance(result, Accepted)
    assert result.event.identifiers == ["email:ann@shop.example"]
    assert json.loads(result.encoded) == [["email:Ann@Shop.Example"], {"size": 42}]


def test_an_integer_that_the_encoding_cannot_hold_becomes_text(acceptor: Acceptor) -> None:
    result = accept(acceptor, userId="ann", properties={"serial": WIDE, "size": 42})
    assert isinstance(result, Accepted)
    assert result.event.properties == {"serial": str(WIDE), "size": 42}
    assert json.loads(result.encoded)[1] == {"serial": str(WIDE), "size": 42}


def test_a_document_that_is_no_event_is_rejected_with_the_field(acceptor: Acceptor) -> None:
    result = accept(acceptor, userId={"id": 1})
    assert isinstance(result, Rejected)
    assert (result.reason, "userId" in result.detail) == (Reason.INVALID_FIELD, True)


def test_an_event_without_a_valid_identifier_is_rejected(acceptor: Acceptor) -> None:
    result = accept(acceptor, identifiers={"email": "unreadable"})
    assert isinstance(result, Rejected)
    assert result.reason is Reason.NO_IDENTIFIER


def test_the_age_of_a_document_is_not_checked(acceptor: Acceptor) -> None:
    result = accept(acceptor, userId="ann", timestamp="1999-01-01T00:00:00Z")
    assert isinstance(result, Accepted)
    assert result.event.timestamp_ms == 915_148_800_000
