"""Logs: one form for everything, and no personal data in it."""

import io
import json
import logging
import re
from collections.abc import Iterator

import httpx2
import pytest
import structlog

from pipeline.obs.log import configure, logger
from pipeline.obs.redact import Redactor


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def entries(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_entry_is_one_json_line_with_an_event_name_and_fields() -> None:
    out = io.StringIO()
    configure("info", stream=out)
    logger("pipeline.stream").info("partition_restored", stage="profile", rows=1200)
    [entry] = entries(out)
    assert entry.pop("timestamp")
    assert entry == {
        "event": "partition_restored", "level": "info", "logger": "pipeline.stream", "stage": "profile", "rows": 1200,
    }  # fmt: skip


def test_the_level_is_obeyed_by_a_logger_that_was_made_before_it_was_set() -> None:
    out = io.StringIO()
    before = logger("pipeline.early")
    configure("warning", stream=out)
    before.info("quiet")
    before.warning("loud")
    configure("debug", stream=out)
    before.debug("chatty")
    assert [entry["event"] for entry in entries(out)] == ["loud", "chatty"]


def test_libraries_that_use_the_standard_library_come_out_in_the_same_form() -> None:
    out = io.StringIO()
    configure("info", stream=out)
    logging.getLogger("kafka").error("broker %s of ada@example.com is down", 1)
    logging.getLogger("mode").info("starting service")
    [entry] = entries(out)
    assert entry["event"] == "broker 1 of [redacted] is down"
    assert entry["logger"] == "kafka"


def test_fields_of_the_process_are_in_every_entry_those_of_libraries_too() -> None:
    out = io.StringIO()
    configure("info", stream=out, fields={"worker": "w7"})
    logger("pipeline").info("ours")
    logging.getLogger("kafka").error("theirs")
    assert [entry["worker"] for entry in entries(out)] == ["w7", "w7"]


def test_a_terminal_gets_readable_lines_instead_of_json() -> None:
    out = io.StringIO()
    configure("info", stream=out, console=True)
    logger("pipeline").info("lead_found", trigger="hot_lead", email="ada@example.com")
    line = out.getvalue()
    assert re.search(r"lead_found.*trigger=hot_lead", line)
    assert "ada@" not in line


def test_an_exception_is_one_line_and_does_not_quote_the_customer() -> None:
    out = io.StringIO()
    configure("info", stream=out)
    try:
        int("email:ada@example.com")
    except ValueError:
        logger("pipeline").exception("row_refused")
    [entry] = entries(out)
    assert "ValueError" in str(entry["exception"])
    assert "ada" not in out.getvalue()


@pytest.mark.parametrize(
    "field",
    ["email", "phone", "user_id", "identifiers", "anchor", "traits", "properties", "password", "api_key", "IP"],
)
def test_fields_that_hold_personal_data_or_secrets_are_redacted_by_name(field: str) -> None:
    assert Redactor()({field: "x1"}) == {field: "[redacted]"}
    assert Redactor()({"outer": {field: ["x1"]}}) == {"outer": {field: "[redacted]"}}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("no owner for email:ada@example.com, skipped", "no owner for email:[redacted], skipped"),
        ("default/anonymous_id:a-1-b moved", "default/anonymous_id:[redacted] moved"),
        ("write to Ada.L+x@mail.example.co.uk today", "write to [redacted] today"),
        ("called +49 151 1234 5678 twice", "called [redacted] twice"),
        ("registry https://me:pw@registry.example:8081/x", "registry https://[redacted]@registry.example:8081/x"),
        ("committed 500 rows at offset 120000", "committed 500 rows at offset 120000"),
        ("profile 5f0c3a3e-0000-5000-8000-3c2b1a000001 merged", "profile 5f0c3a3e-0000-5000-8000-3c2b1a000001 merged"),
        ("2026-11-22T00:10:00.000Z", "2026-11-22T00:10:00.000Z"),
    ],
)
def test_texts_lose_identifiers_and_keep_what_operators_need(text: str, clean: str) -> None:
    assert Redactor().text(text) == clean


def test_identifier_types_of_the_deployment_are_redacted_too() -> None:
    redact = Redactor(("member_no",))
    assert redact({"detail": "member_no:77 is shared", "member_no": 77}) == {
        "detail": "member_no:[redacted] is shared", "member_no": "[redacted]",
    }  # fmt: skip


def test_numbers_lists_and_absent_values_pass_in_their_own_type() -> None:
    fields = {"rows": 3, "share": 0.5, "ok": True, "owner": None, "topics": ("a", "b"), "email": None}
    assert Redactor()(fields) == {**fields, "topics": ["a", "b"]}


@pytest.mark.parametrize("level", ["info", "debug"])
def test_the_urls_of_requests_are_not_logged_because_they_may_hold_a_signature_or_a_search(level: str) -> None:
    out = io.StringIO()
    configure(level, stream=out)
    with httpx2.Client(transport=httpx2.MockTransport(lambda _request: httpx2.Response(200))) as client:
        client.get("https://files.example/journal?X-Amz-Signature=s3cr3t")
    assert out.getvalue() == ""
