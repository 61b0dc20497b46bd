"""``stitchline profile`` on a real broker, over what a real worker made of a handful of events."""

import os
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import pytest
from pyarrow import parquet

from pipeline.event.instant import format_instant
from pipeline.export.files import json_line
from pipeline.identity.profile_id import profile_id
from pipeline.kafka.snapshot import read_compacted
from pipeline.local.broker import Broker
from pipeline.query.profiles import LATEST, export_profiles, profile_rows
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.rules.version import rules_version
from pipeline.testing.build import event_json
from pipeline.topics import CHANGELOGS
from tests.integration.small_deployment import PARTITIONS, Deployment

pytestmark = pytest.mark.kafka

START_MS = time.time_ns() // 1_000_000 - 86_400_000
"""Yesterday: INTAKE takes no event from the future and none that is very old."""
ADA, ADA_MAILBOX = profile_id("default", "anonymous_id:a-1"), profile_id("default", "email:ada@shop.example")


event = partial(event_json, start_ms=START_MS)


ADAS = [
    event(1, anonymousId="a-1", properties={"product": "Kettle"}),
    event(2, anonymousId="a-1", properties={"product": "Toaster"}),
    event(3, identifiers={"email": "Ada@Shop.example"}, anonymousId="a-1", type="identify",
          traits={"firstName": "Ada"}),
    event(4, identifiers={"email": "ada@shop.example", "loyalty_id": "L-7"}, channel="pos", event="order_completed",
          properties={"total": "19.99", "currency": "EUR", "order_id": "o1"}),
]  # fmt: skip
OTHERS = [event(10 + number, identifiers={"email": f"p{number}@shop.example"}) for number in range(6)]


def current(deployment: Deployment) -> list[dict[str, Any]]:
    shipped, settings = load_rules(), deployment.settings
    topic = CHANGELOGS["profile"].of(settings.topic_prefix)
    rows = profile_rows(read_compacted(settings.kafka(), topic, range(PARTITIONS)).rows)
    return list(export_profiles(rows, compiled(shipped), LATEST))


@pytest.fixture(scope="module")
def deployment(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Seven customers, processed; the worker has left."""
    with Deployment(kafka.bootstrap_servers, f"t{os.getpid()}-profile-cli", tmp_path_factory.mktemp("home")) as made:
        made.ingest([*ADAS, *OTHERS])
        worker = made.start_worker()

        def settled() -> bool | None:
            result = current(made)
            return (len(result) == 7 and sum(view["touches"] for view in result) == 10) or None

        made.until(settled, "seven profiles with ten events")
        made.end_worker(worker)
        yield made


@pytest.mark.parametrize(
    "who", ["email:ada@shop.example", "email: ADA@Shop.Example ", "anonymous_id:a-1", "loyalty_id:L-7", ADA_MAILBOX]
)
def test_every_identifier_and_every_old_id_shows_the_one_customer(deployment, who):
    result = deployment.json("profile", "show", who)

    assert set(result["identifiers"]) == {"anonymous_id:a-1", "email:ada@shop.example", "loyalty_id:L-7"}
    assert result["touches"] == 4
    assert result["traits"]["firstName"]["value"] == "Ada"
    for score in result["scores"]:
        assert sum(line["points"] for line in score["contributions"]) == score["value"]
    assert [entry["event_id"].rpartition("/")[2] for entry in result["timeline"]] == ["m4", "m3", "m2", "m1"]


def test_a_customer_shown_to_a_person_has_everything_in_it(deployment):
    shown = deployment.run("profile", "show", "loyalty_id:L-7", "--as-of", "latest").stdout

    for words in (
        ADA, "4 under 3 anchors", "anonymous_id:a-1", "Identifiers", "Traits", "firstName", "Aggregates", "Score ",
        "Timeline", "order_completed", "Kettle", "19.99 EUR", "no statement",
    ):  # fmt: skip
        assert words in shown


def test_the_timeline_is_paged_newest_first_and_the_last_page_has_no_cursor(deployment):
    first = deployment.json("profile", "timeline", ADA, "--limit", "3")
    last = deployment.json("profile", "timeline", "loyalty_id:L-7", "--limit", "3", "--before", first["before"])

    assert first["profile_id"] == last["profile_id"] == ADA
    ids = [entry["event_id"].rpartition("/")[2] for page in (first, last) for entry in page["timeline"]]
    assert ids == ["m4", "m3", "m2", "m1"]
    assert last["before"] is None
    shown = deployment.run("profile", "timeline", ADA, "--limit", "1").stdout
    assert "order_completed" in shown
    assert f"older: --before {START_MS + 4 * 60_000}:pos/m4" in shown
    assert "older:" not in deployment.run("profile", "timeline", ADA).stdout
    assert "is not a cursor" in deployment.run("profile", "timeline", ADA, "--before", "m4", code=2).stderr
    assert "is unknown" in deployment.run("profile", "timeline", "email:unseen@shop.example", code=4).stderr


def test_the_attribution_report_covers_all_stored_profiles(deployment):
    facts = deployment.json("attribution", "report", "--model", "position", "--by", "source")

    assert (facts["profiles"], facts["conversions"], facts["complete"]) == (7, 1, True)
    assert facts["lines"] == [
        {"name": "(no marketing)", "conversions": 1.0, "revenue_minor": {"EUR": 1999}, "cost_minor": {},
         "cost_per_acquisition_minor": {}},
    ]  # fmt: skip
    shown = deployment.run("attribution", "report").stdout
    assert "1 conversions of 7 profiles, linear by campaign" in shown
    assert "19.99 EUR" in shown
    assert deployment.json("attribution", "report", "--conversion", "quote")["lines"] == []
    assert "there is no lineal" in deployment.run("attribution", "report", "--model", "lineal", code=2).stderr
    assert "no conversion is named" in deployment.run("attribution", "report", "--conversion", "x", code=2).stderr


def test_a_moment_can_be_named(deployment):
    later_ms = START_MS + 30 * 86_400_000

    assert deployment.json("profile", "show", ADA, "--as-of", "latest")["as_of_ms"] == START_MS + 4 * 60_000
    requested = deployment.json("profile", "show", ADA, "--as-of", format_instant(later_ms))
    assert requested["as_of_ms"] == later_ms
    now = deployment.json("profile", "show", ADA)
    assert START_MS + 86_400_000 <= now["as_of_ms"] <= time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["email:unseen@shop.example"], 4, "email:unseen@shop.example is unknown"),
        (["anonymous_id:a-1", "--tenant", "other"], 4, "tenant other"),
        (["00000000-0000-5000-8000-000000000000"], 4, "is unknown"),
        (["email:no address"], 2, "'email:no address' is not a valid email"),
        (["user_id:guest"], 2, "is a blocked value"),
        (["ada"], 2, "neither a profile id nor type:value"),
        (["email:ada@shop.example", "--as-of", "yesterday"], 2, "write now, latest"),
        (["email:ada@shop.example", "--as-of", "2020-01-01"], 2, "2020-01-01 is before the newest event"),
    ],
)  # fmt: skip
def test_each_refusal_to_show_a_profile_has_its_exit_code(deployment, arguments, code, said):
    done = deployment.run("profile", "show", *arguments, code=code)

    assert said in done.stderr
    assert done.stdout == ""


def test_two_exports_are_equal_byte_for_byte_and_hold_every_current_profile(deployment, tmp_path):
    one, other = tmp_path / "one.ndjson", tmp_path / "other.jsonl"

    shown = deployment.json("profile", "export", one, "--as-of", "latest")
    deployment.run("profile", "export", other, "--as-of", "latest")

    assert shown == {"profiles": 7, "file": str(one), "format": "ndjson", "complete": True}
    assert one.read_bytes() == other.read_bytes() == b"".join(map(json_line, current(deployment)))
    ids = [msgspec.json.decode(line)["profile_id"] for line in one.read_bytes().splitlines()]
    assert ids == sorted(ids)
    assert ADA in ids
    assert ADA_MAILBOX not in ids


def test_parquet_holds_what_ndjson_does(deployment, tmp_path):
    file = tmp_path / "profiles.parquet"

    deployment.run("profile", "export", file, "--as-of", "latest")

    rows = {row["profile_id"]: row for row in parquet.read_table(file).to_pylist()}
    for view in current(deployment):
        row = rows.pop(view["profile_id"])
        assert {identifier["identifier"] for identifier in row["identifiers"]} == set(view["identifiers"])
        assert row["timeline"] == view["timeline"]
        assert row["scores"] == view["scores"]
        assert row["touches"] == view["touches"]
    assert rows == {}


def test_a_failed_write_keeps_the_old_file(deployment, tmp_path):
    file = tmp_path / "profiles.ndjson"
    file.write_bytes(b"yesterday's")

    output = deployment.run("profile", "export", file, "--format", "csv", code=2).stderr
    assert "write ndjson or parquet" in output
    assert ".parquet" in deployment.run("profile", "export", tmp_path / "profiles", code=2).stderr
    assert "No such file" in deployment.run("profile", "export", tmp_path / "nowhere" / "p.ndjson", code=1).stderr
    assert file.read_bytes() == b"yesterday's"
    assert [path.name for path in tmp_path.iterdir()] == ["profiles.ndjson"]


def test_a_command_under_other_rules_than_the_workers_prints_a_note(deployment, tmp_path, monkeypatch):
    commands = [
        ["profile", "show", "loyalty_id:L-7"],
        ["score", "explain", "loyalty_id:L-7"],
        ["segment", "dry-run"],
        ["trigger", "dry-run"],
        ["attribution", "report"],
    ]
    (tmp_path / "intake.yaml").write_text("default_country: DE\n", encoding="utf-8")
    workers, mine = rules_version(load_rules()), rules_version(load_rules(tmp_path))

    assert deployment.json("top", "--once")["rules_version"] == workers
    for command in commands:
        assert deployment.run(*command).stderr == ""
    monkeypatch.setitem(deployment.environment, "STITCHLINE_RULES_DIR", str(tmp_path))
    for command in commands:
        note = f"stitchline: note: the workers' newest updates were made by rules {workers}; this command"
        assert deployment.run(*command).stderr.startswith(f"{note} reads by {mine}")
    assert deployment.run("segment", "dry-run", "--rules", tmp_path).stderr == ""
