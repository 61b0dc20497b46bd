"""``stitchline identity resolve``: the pure function over files, with no server anywhere."""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.identity.profile_id import profile_id

EVENTS = [
    {"type": "identify", "messageId": "m1", "timestamp": "2026-03-01T12:00:00Z", "userId": "u1", "anonymousId": "a-1",
     "traits": {"email": " Ada@Shop.example"}},
    {"type": "track", "event": "look", "messageId": "m2", "timestamp": "2026-03-01T13:00:00Z", "userId": "u2",
     "anonymousId": "a-1"},
    {"type": "track", "event": "look", "messageId": "m3", "timestamp": "2026-03-01T14:00:00Z", "anonymousId": "a-1"},
    {"type": "track", "event": "open", "messageId": "m4", "timestamp": "2026-03-01T15:00:00Z",
     "identifiers": {"email": "ADA@shop.example"}},
    {"type": "track", "event": "look", "messageId": "m5", "timestamp": "2026-03-01T15:00:00Z", "anonymousId": "alone"},
]  # fmt: skip
U1, U2, ALONE = (profile_id("default", founder) for founder in ("anonymous_id:a-1", "user_id:u2", "anonymous_id:alone"))
"""The first is named after the browser, which moved on to the second; the name stays."""


def resolve(*arguments: str | Path, code: int = 0) -> Result:
    done = CliRunner().invoke(
        app, ["identity", "resolve", *map(str, arguments), "--channel", "web"], env={"COLUMNS": "200"}
    )
    assert done.exit_code == code, done.output
    return done


def resolved(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    result: dict[str, Any] = msgspec.json.decode(resolve(*arguments, "--json", code=code).stdout)
    return result


def written(path: Path, events: list[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "events.ndjson", EVENTS)


def test_groups_come_with_their_profile_ids_and_events(file):
    result = resolved(file)

    assert [(group["profile_id"], group["identifiers"], group["events"]) for group in result["groups"]] == [
        (U1, ["email:ada@shop.example", "user_id:u1"], 2),
        (U2, ["anonymous_id:a-1", "user_id:u2"], 2),
        (ALONE, ["anonymous_id:alone"], 1),
    ]
    assert result["rejects"] == 0


def test_a_rejected_link_is_shown_with_its_rule_and_source(file):
    (current,) = resolved(file)["rejected"]

    assert (current["start"], current["end"], current["rejected"], current["rule"], current["event_id"]) == (
        "user_id:u1", "anonymous_id:a-1", "limit", "user_id: 1 ever", "web/m1",
    )  # fmt: skip


def test_each_event_is_attributed_to_the_customer_of_its_anchor(file):
    assert [(event["event_id"], event["profile_id"]) for event in resolved(file)["events"]] == [
        ("web/m1", U1), ("web/m2", U2), ("web/m3", U2), ("web/m4", U1), ("web/m5", ALONE),
    ]  # fmt: skip


def test_neither_order_nor_repetition_nor_the_split_into_files_makes_a_difference(file, tmp_path):
    def bare(result: dict[str, Any]) -> Any:
        result["events"].sort(key=lambda event: event["event_id"])
        return result

    shuffled = random.Random(7).sample(EVENTS * 2, 2 * len(EVENTS))
    one, other = (written(tmp_path / f"{at}.ndjson", shuffled[at::2]) for at in (0, 1))
    assert bare(resolved(one, other)) == bare(resolved(file))


def test_other_rules_make_other_customers(file, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "identifiers.yaml").write_text(
        "types:\n"
        "  - {name: user_id, priority: 1}\n"
        "  - {name: email, priority: 2, normalise: email, household: true}\n"
        "  - {name: anonymous_id, priority: 3}\n"
        "preset: none\n"
        "max_identifiers: 100\n"
    )
    result = resolved(file, "--rules", tmp_path / "rules")

    assert result["groups"][0]["identifiers"] == ["anonymous_id:a-1", "user_id:u1", "user_id:u2"]
    (household,) = result["households"]
    assert (household["shared"], household["profile_ids"]) == ("email:ada@shop.example", [U1])
    assert result["isolated"] == [{"tenant": "default", "identifier": "email:ada@shop.example", "reason": "household"}]


def test_a_log_out_gives_the_browser_back(tmp_path):
    events = [*EVENTS[:1], {**EVENTS[2], "event": "signed_out", "userId": "u1", "messageId": "m9"}]
    result = resolved(written(tmp_path / "events.ndjson", events))

    assert [current["rejected"] for current in result["rejected"]] == ["logged_out"]
    assert result["rejected"][0]["count"] == 2


def test_tenants_are_resolved_apart(tmp_path):
    events = [EVENTS[0], {**EVENTS[0], "tenant": "other"}]
    result = resolved(written(tmp_path / "events.ndjson", events))

    assert [group["tenant"] for group in result["groups"]] == ["default", "other"]
    assert len({group["profile_id"] for group in result["groups"]}) == 2


def test_an_invalid_event_is_reported_with_its_line_and_the_rest_is_resolved(tmp_path):
    broken = [EVENTS[0], {"type": "track"}, {**EVENTS[2], "anonymousId": "unknown"}, {**EVENTS[3], "messageId": ""}]
    file = written(tmp_path / "events.ndjson", broken)
    file.write_bytes(file.read_bytes() + b"{broken\n")
    done = resolve(file, "--json", code=3)

    assert [line.split(" ")[0].rpartition(":")[2] for line in done.stderr.splitlines()] == ["2", "3", "5"]
    assert msgspec.json.decode(done.stdout)["rejects"] == 3
    assert len(msgspec.json.decode(done.stdout)["events"]) == 2


def test_for_people_it_is_three_tables(file):
    shown = resolve(file).stdout

    for words in (
        "5 events of 3 customers, 1 rejected links",
        U1,
        "user_id:u1 - anonymous_id:a-1",
        "user_id: 1 ever",
        "web/m4",
    ):
        assert words in shown


def test_what_cannot_be_read_is_one_line(tmp_path, file):
    assert "No such file" in resolve(tmp_path / "nowhere.ndjson", code=1).stderr
    assert "no such directory" in resolve(file, "--rules", tmp_path / "nowhere", code=1).stderr
    (tmp_path / "till.csv").write_text("a,b\n")
    assert "--mapping" in resolve(tmp_path / "till.csv", code=1).stderr
