"""Faults of records on the internal profile topics."""

from typing import Any

import msgspec
import pytest

from pipeline.identity.messages import IdentifierOwnership, Move
from pipeline.profile.faults import fault_of
from pipeline.profile.ledger import Ledger, encode_ledger
from pipeline.profile.messages import Carry
from pipeline.testing.build import touch

USER = "user_id:1"
LEDGER = msgspec.Raw(encode_ledger(Ledger()))
MOVE = Move("t", [USER], "p", "q", 1)
OWNED = IdentifierOwnership("t", USER, 1, {"device_id:d": False}, 1)


@pytest.mark.parametrize("message", [touch(), MOVE, OWNED, Carry("t", "q", 1, {USER: LEDGER})])
def test_a_sound_message_has_no_fault(message: Any) -> None:
    assert fault_of("profile", message) == ""


@pytest.mark.parametrize(
    ("key", "message", "fault"),
    [
        ("", touch(), "key: not a profile id"),
        ("p", touch(tenant="T"), "tenant: not the name of a tenant"),
        ("p", touch(identifiers=[]), "anchor, identifiers: not identifiers"),
        ("p", touch(identifiers=["user"]), "anchor, identifiers: not identifiers"),
        ("p", touch(timestamp_ms=-1), "timestamp_ms: below zero"),
        ("p", Move("t", [], "p", "q", 1), "anchors: not identifiers"),
        ("p", Move("t", ["user"], "p", "q", 1), "anchors: not identifiers"),
        ("p", IdentifierOwnership("t", USER, 1, {"device": True}, 1), "anchor, owned: not identifiers"),
        ("p", Carry("t", "q", 1, {"user": LEDGER}), "ledgers: not under identifiers"),
        ("p", Carry("t", "q", 1, {USER: msgspec.Raw(b"\xa1x")}), "ledgers: ValidationError"),
    ],
)
def test_a_fault_names_the_field(key: str, message: Any, fault: str) -> None:
    assert fault_of(key, message) == fault
