"""Consent as events state it: unsubscribing is a no, and the newest statement decides. Through ``simulate``."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.testing.build import START_MS, event_json
from tests.support.as_sent import simulate

JOINED = event_json(0, type="identify", userId="ann", traits={"email": "ann@shop.example"})


def denial(number: int, name: str, **properties: Any) -> dict[str, Any]:
    """Under the address alone, as mail tools send it: another ledger than the site's."""
    identifiers = {"email": "ann@shop.example"}
    return event_json(number, name, channel="email", identifiers=identifiers, properties=properties)


def yes(number: int) -> dict[str, Any]:
    return event_json(number, "Preferences Updated", userId="ann", properties={"marketing": {"email": True}})


@pytest.mark.parametrize(
    "no",
    [
        denial(2, "email_unsubscribed"), denial(2, "Unsubscribed"), denial(2, "Email Marked as Spam"),
        denial(2, "Email Bounced"), denial(2, "email_bounced", bounce_type="hard"),
    ],
)  # fmt: skip
def test_unsubscribing_complaining_and_bouncing_deny_marketing_by_email(tmp_path: Path, no: dict[str, Any]) -> None:
    assert simulate(tmp_path, [JOINED, yes(1), no]).profile["consent"] == {"marketing/email": False}


def test_a_soft_bounce_is_no_statement(tmp_path: Path) -> None:
    sent = [JOINED, yes(1), denial(2, "email_bounced", bounce_type="soft")]
    assert simulate(tmp_path, sent).profile["consent"] == {"marketing/email": True}


@pytest.mark.parametrize(
    ("yes_at", "granted", "decides"), [(5, True, "web/m5"), (1, False, "email/m3"), (3, False, "email/n")]
)
def test_the_newest_statement_of_all_ledgers_decides_and_is_named(
    tmp_path: Path, yes_at: int, granted: bool, decides: str
) -> None:
    no = denial(3, "email_unsubscribed") | ({"messageId": "n"} if yes_at == 3 else {})
    for sent in ([JOINED, no, yes(yes_at)], [JOINED, yes(yes_at), no]):
        profile = simulate(tmp_path, sent).profile
        made = profile["consent_statements"]["marketing/email"]
        assert (profile["consent"]["marketing/email"], made["granted"], made["event_id"]) == (granted, granted, decides)
        assert made["timestamp_ms"] == START_MS + (yes_at if granted else 3) * 60_000
