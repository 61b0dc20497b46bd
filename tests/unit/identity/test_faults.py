"""Faults of records on the internal identity topics."""

from typing import Any

import pytest

from pipeline.identity.faults import assignment_fault, fault_of
from pipeline.identity.messages import Assignment, Command
from pipeline.testing.build import link

USER, PHONE = "user_id:1", "device_id:phone"


def command(kind: Any, a: str = USER, b: str = PHONE, **fields: Any) -> Command:
    return Command(
        **({"tenant": "t", "kind": kind, "a": a, "b": b, "actor": "", "why": "", "timestamp_ms": 0} | fields)
    )


@pytest.mark.parametrize(
    "message",
    [
        link(USER, PHONE), command("link"), command("unlink"), command("logout"), command("logout", PHONE, ""),
        command("suppress", PHONE, ""), command("release", PHONE, ""),
    ],
)  # fmt: skip
def test_a_sound_message_has_no_fault(message: Any) -> None:
    assert fault_of("key", message) == ""


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (link(USER, PHONE, tenant="T"), "tenant: not the name of a tenant"),
        (link(USER, "phone"), "anchor, other: not identifiers"),
        (link(USER, USER), "anchor, other: the same identifier"),
        (link(USER, PHONE, 5, last_seen_ms=4), "first_seen_ms, last_seen_ms, count: out of order"),
        (link(USER, PHONE, -1), "first_seen_ms, last_seen_ms, count: out of order"),
        (link(USER, PHONE, count=0), "first_seen_ms, last_seen_ms, count: out of order"),
        (command("link", b=""), "a, b: not identifiers"),
        (command("suppress", a="phone", b=""), "a, b: not identifiers"),
        (command("unlink", timestamp_ms=-1), "timestamp_ms: below zero"),
    ],
)
def test_a_fault_names_the_field(message: Any, fault: str) -> None:
    assert fault_of("key", message) == fault


@pytest.mark.parametrize(
    ("key", "assignment", "fault"),
    [
        (f"t/{USER}", Assignment("p", 1, [PHONE]), ""),
        (USER, Assignment("p", 1), "key: not a tenant and an identifier"),
        ("t/user", Assignment("p", 1), "key: not a tenant and an identifier"),
        (f"t/{USER}", Assignment("", 1), "profile_id, seq: empty or below zero"),
        (f"t/{USER}", Assignment("p", -1), "profile_id, seq: empty or below zero"),
        (f"t/{USER}", Assignment("p", 1, ["phone"]), "contested: not identifiers"),
    ],
)
def test_faults_of_an_assignment(key: str, assignment: Assignment, fault: str) -> None:
    assert assignment_fault(key, assignment) == fault
