"""``stitchline segment`` on a real broker, over what a real worker made of a handful of events."""

import csv
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from pyarrow import parquet

from pipeline.event.instant import format_instant
from pipeline.identity.profile_id import profile_id
from pipeline.kafka.reading import silent
from pipeline.local.broker import Broker
from pipeline.query.profiles import profile_rows, profile_snapshot
from pipeline.testing.build import event_json
from tests.integration.small_deployment import Deployment

pytestmark = pytest.mark.kafka

DAY_MS = 86_400_000
START_MS = time.time_ns() // 1_000_000 - DAY_MS
"""Yesterday: INTAKE takes no event from the future and none that is very old."""
ADA = profile_id("default", "anonymous_id:a-1")
SEGMENTS = """
segments:
  - name: buyers
    when: spent.EUR over 30 d >= 19.99
    description: Bought something.
  - name: lookers
    when: products_viewed >= 1 and not segment.buyers
"""


event = partial(event_json, start_ms=START_MS)


ADAS = [
    event(1, anonymousId="a-1"),
    event(2, identifiers={"email": "ada@shop.example"}, anonymousId="a-1", type="identify",
          traits={"firstName": "Ada"}),
    event(3, identifiers={"email": "ada@shop.example"}, channel="pos", event="order_completed",
          properties={"total": "19.99", "currency": "EUR", "order_id": "o1"}),
]  # fmt: skip
OTHERS = [event(10 + number, identifiers={"email": f"p{number}@shop.example"}) for number in range(6)]
FORMULA = '=HYPERLINK("https://evil.example","open")'
MALLORY = event(20, type="identify", identifiers={"email": "p5@shop.example"}, traits={"firstName": FORMULA})


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "segments.yaml").write_text(SEGMENTS)
    return folder


@pytest.fixture(scope="module")
def deployment(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Seven customers, processed; the worker has left."""
    with Deployment(kafka.bootstrap_servers, f"t{os.getpid()}-segment-cli", tmp_path_factory.mktemp("home")) as made:
        made.ingest([*ADAS, *OTHERS, MALLORY])
        worker = made.start_worker()

        def settled() -> bool | None:
            rows = profile_rows(profile_snapshot(made.settings, silent).rows)
            result = [sum(ledger.touches for ledger in row.ledgers()) for _, row in rows if row.anchors]
            return (len(result) == 7 and sum(result) == 10) or None

        made.until(settled, "seven profiles with ten events")
        made.end_worker(worker)
        yield made


def test_all_segments_are_counted_over_the_stored_profiles(deployment, rules):
    result = deployment.json("segment", "dry-run", "--rules", rules)

    assert (result["profiles"], result["complete"]) == (7, True)
    assert [(segment["name"], segment["members"]) for segment in result["segments"]] == [("buyers", 1), ("lookers", 6)]
    assert result["segments"][0]["share"] == 1 / 7
    assert [item["email"] for item in result["segments"][0]["sample"]] == ["ada@shop.example"]
    shown = deployment.run("segment", "dry-run", "--rules", rules).stdout
    for words in ("Of 7 customers", "buyers", "14.3 %", "lookers", "85.7 %", "spent.EUR over 30 d >= 19.99"):
        assert words in shown


def test_one_segment_is_shown_with_some_of_its_members(deployment, rules):
    shown = deployment.run("segment", "dry-run", "buyers", "--rules", rules).stdout
    for words in ("buyers", ADA, "Ada, ada@shop.example", "anonymous_id:a-1 email:ada@shop.example"):
        assert words in shown
    assert "lookers" not in shown
    sample = deployment.json("segment", "dry-run", "lookers", "--rules", rules, "--sample", "2")["segments"][0][
        "sample"
    ]
    assert len(sample) == 2
    assert [item["profile_id"] for item in sample] == sorted(item["profile_id"] for item in sample)


def test_a_condition_is_tried_before_it_is_written_and_at_any_moment(deployment, rules):
    when = "segment.lookers and last_touch < 25 h"
    [result] = deployment.json("segment", "dry-run", "--when", when, "--rules", rules)["segments"]
    assert (result["members"], result["when"]) == (6, when)
    later = ["--when", "last_touch > 31 d", "--as-of"]
    assert deployment.json("segment", "dry-run", *later, "latest")["segments"][0]["members"] == 0
    gone = format_instant(START_MS + 32 * DAY_MS)
    assert deployment.json("segment", "dry-run", *later, gone)["segments"][0]["members"] == 7


def test_the_shipped_segments_can_be_counted_too(deployment):
    result = {segment["name"]: segment["members"] for segment in deployment.json("segment", "dry-run")["segments"]}
    assert (result["new_customers"], result["dormant"], result["email_only"]) == (1, 0, 7)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nobody"], 2, "there is no segment nobody"),
        (["buyer"], 2, "did you mean buyers?"),
        (["--when", "orders == 1"], 2, "orders == 1\n       ^ == is no sign of this language; write = for equality"),
        (["--when", "ordrs = 1"], 2, "^ there is no ordrs; did you mean orders?"),
        (["buyers", "--when", "orders = 1"], 2, "not both"),
        (["buyers", "--as-of", "yesterday"], 2, "write now, latest"),
        (["buyers", "--as-of", "2020-01-01"], 2, "2020-01-01 is before the newest event"),
    ],
)
def test_each_refusal_to_count_has_its_exit_code(deployment, rules, arguments, code, said):
    done = deployment.run("segment", "dry-run", *arguments, "--rules", rules, code=code)
    assert said in done.stderr
    assert done.stdout == ""


def test_rules_with_a_mistake_are_refused_with_its_place(deployment, tmp_path):
    (tmp_path / "segments.yaml").write_text("segments:\n  - {name: a, when: ordrs = 1}\n")
    output = deployment.run("segment", "export", "a", tmp_path / "a.csv", "--rules", tmp_path, code=1).stderr
    assert "segments.yaml:2:21: there is no ordrs" in output


def test_members_are_exported_in_every_format(deployment, rules, tmp_path):
    files = {suffix: tmp_path / f"lookers.{suffix}" for suffix in ("csv", "ndjson", "parquet")}
    for suffix, file in files.items():
        shown = deployment.json("segment", "export", "lookers", file, "--rules", rules)
        assert shown == {
            "segment": "lookers", "members": 6, "file": str(file), "format": suffix, "complete": True,
        }  # fmt: skip

    lines = [msgspec.json.decode(line) for line in files["ndjson"].read_bytes().splitlines()]
    with files["csv"].open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert parquet.read_table(files["parquet"]).to_pylist() == lines
    assert [row["email"] for row in rows] == [line["email"] for line in lines]
    assert {line["email"] for line in lines} == {f"p{number}@shop.example" for number in range(6)}
    assert [line["profile_id"] for line in lines] == sorted(line["profile_id"] for line in lines)


def test_formulas_in_customers_names_are_neutralised_in_csv_unless_the_option_is_off(deployment, rules, tmp_path):
    values = {}
    for option in ("--safe", "--no-safe"):
        file = tmp_path / f"{option}.csv"
        deployment.run("segment", "export", "lookers", file, option, "--rules", rules)
        with file.open(encoding="utf-8", newline="") as table:
            (row,) = [row for row in csv.DictReader(table) if row["email"] == "p5@shop.example"]
        values[option] = [value for value in row.values() if "HYPERLINK" in value]
    assert values == {"--safe": [f"'{FORMULA}"], "--no-safe": [FORMULA]}
    default = tmp_path / "default.csv"
    deployment.run("segment", "export", "lookers", default, "--rules", rules)
    assert default.read_bytes() == (tmp_path / "--safe.csv").read_bytes()


def test_a_failed_write_keeps_the_old_file(deployment, rules, tmp_path):
    file = tmp_path / "buyers.csv"
    file.write_bytes(b"yesterday's")

    export = ("segment", "export", "buyers")
    assert "write csv, ndjson" in deployment.run(*export, file, "--format", "xml", "--rules", rules, code=2).stderr
    assert ".csv" in deployment.run(*export, tmp_path / "buyers", "--rules", rules, code=2).stderr
    past = deployment.run(*export, file, "--as-of", "2020-01-01", "--rules", rules, code=2).stderr
    assert "2020-01-01 is before the newest event" in past
    nowhere = tmp_path / "nowhere" / "b.csv"
    assert "No such file" in deployment.run(*export, nowhere, "--rules", rules, code=1).stderr
    assert file.read_bytes() == b"yesterday's"
    assert "1 members of buyers written" in deployment.run(*export, file, "--rules", rules).stdout
