"""``stitchline score explain`` and ``trigger dry-run`` on a real broker, over what a real worker has stored."""

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

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
SCORES = """
scores:
  - { name: looked, points: 10, filter: { events: [product_viewed] }, half_life: 7 d, group: browsing }
  - { name: quoted, points: 40, filter: { events: [quote_requested] }, half_life: 14 d }
groups:
  - { name: browsing, max_points: 15 }
fit:
  - { name: business, points: 60, where: [{ field: traits.company, exists: true }] }
grades: { letters: [75, 50, 25], digits: [50, 30, 10] }
"""
IN_FORCE = "triggers: [{ name: hot, high: 50, low: 20 }]"
NEW = """
triggers:
  - { name: hot, high: 50, low: 20 }
  - { name: warm, high: 5, low: 2, consent: sales }
  - { name: polite, high: 5, low: 2, quiet: { start: "00:00", end: "23:59" } }
  - { name: cold, high: 50, low: 20, falling: true }
segment_triggers:
  - { name: reachable, segment: email_only, score: engagement }
"""


event = partial(event_json, start_ms=START_MS, step_ms=1)


ADAS = [
    event(1, anonymousId="a-1"),
    event(2, anonymousId="a-1"),
    event(3, identifiers={"email": "ada@shop.example"}, anonymousId="a-1", type="identify",
          traits={"firstName": "Ada", "company": "Analytical Engines"}),
    event(4, identifiers={"email": "ada@shop.example"}, channel="app", event="quote_requested"),
]  # fmt: skip
OTHERS = [
    *(event(10 + number, identifiers={"email": f"p{number}@shop.example"}) for number in range(3)),
    event(20, identifiers={"email": "no@shop.example"}, context={"consent": {"sales": False}}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules in force, and beside them those to be tried."""
    made = tmp_path_factory.mktemp("rules")
    for name, triggers in (("in-force", IN_FORCE), ("new", NEW)):
        (made / name).mkdir()
        (made / name / "scores.yaml").write_text(SCORES)
        (made / name / "triggers.yaml").write_text(triggers)
    return made


@pytest.fixture(scope="module")
def deployment(kafka: Broker, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Five customers, processed under the rules in force; the worker has left."""
    with Deployment(kafka.bootstrap_servers, f"t{os.getpid()}-score-cli", tmp_path_factory.mktemp("home")) as made:
        made.environment["STITCHLINE_RULES_DIR"] = str(folder / "in-force")
        made.ingest([*ADAS, *OTHERS])
        worker = made.start_worker()

        def settled() -> bool | None:
            rows = profile_rows(profile_snapshot(made.settings, silent).rows)
            result = [sum(ledger.touches for ledger in row.ledgers()) for _, row in rows if row.anchors]
            return (len(result) == 5 and sum(result) == 8) or None

        made.until(settled, "five profiles with eight events")
        made.end_worker(worker)
        yield made


def test_a_score_is_explained_to_the_last_digit_under_any_identifier(deployment):
    shown = deployment.json("score", "explain", "anonymous_id:a-1", "--as-of", "latest")

    assert (shown["profile_id"], shown["as_of_ms"], shown["grade"]) == (ADA, START_MS + 4, "B1")
    assert shown["scores"] == [
        {"name": "engagement", "value": 55.0, "contributions": [
            {"rule": "looked", "group": "browsing", "points": 20.0, "occurrences": 2},
            {"rule": "quoted", "group": "", "points": 40.0, "occurrences": 1},
            {"rule": "cap", "group": "browsing", "points": -5.0, "occurrences": 0},
        ]},
        {"name": "fit", "value": 60.0, "contributions": [
            {"rule": "business", "group": "", "points": 60.0, "occurrences": 1},
        ]},
    ]  # fmt: skip


def test_points_fade_and_still_sum_to_the_score_at_any_moment(deployment):
    for days in (1, 3, 10, 33, 100):
        moment = format_instant(START_MS + days * DAY_MS)
        shown = deployment.json("score", "explain", ADA, "--as-of", moment)
        engagement = shown["scores"][0]
        assert sum(line["points"] for line in engagement["contributions"]) == engagement["value"]
        assert 0 <= engagement["value"] < 55
        assert shown["scores"][1]["value"] == 60


def test_a_person_sees_the_contributions_the_sum_and_the_grade(deployment):
    shown = deployment.run("score", "explain", "email:ada@shop.example", "--as-of", "latest").stdout

    for words in (ADA, "Score engagement: 55", "looked", "+40", "cap", "-5", "+55", "Score fit: 60", "Grade B1"):
        assert words in shown
    assert "Grade B1" in deployment.run("profile", "show", ADA, "--as-of", "latest").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["email:unseen@shop.example"], 4, "is unknown"),
        (["ada"], 2, "neither a profile id nor type:value"),
        ([ADA, "--as-of", "yesterday"], 2, "write now, latest"),
        ([ADA, "--as-of", "2020-01-01"], 2, "2020-01-01 is before the newest event"),
    ],
)
def test_each_refusal_to_explain_has_its_exit_code(deployment, arguments, code, said):
    done = deployment.run("score", "explain", *arguments, code=code)
    assert said in done.stderr
    assert done.stdout == ""


def test_under_the_rules_in_force_the_lead_is_open_and_no_trigger_would_fire(deployment):
    result = deployment.json("trigger", "dry-run", "--as-of", "latest")

    assert (result["profiles"], result["complete"]) == (5, True)
    [hot] = result["triggers"]
    assert (hot["name"], hot["fires_when"], hot["fires"], hot["open"]) == ("hot", "engagement reaches 50", 0, 1)


def test_new_triggers_are_tried_on_every_profile_before_they_are_deployed(deployment, folder):
    result = deployment.json("trigger", "dry-run", "--rules", folder / "new", "--as-of", "latest", "--sample", "2")

    assert {
        trigger["name"]: (trigger["fires"], *trigger["waits"].values(), trigger["open"], trigger["spent"])
        for trigger in result["triggers"]
    } == {
        "hot": (0, 0, 0, 0, 1, 0),
        "warm": (4, 0, 1, 0, 0, 0),
        "polite": (0, 0, 0, 5, 0, 0),
        "cold": (0, 0, 0, 0, 0, 0),
        "reachable": (5, 0, 0, 0, 0, 0),
    }  # fmt: skip
    assert [len(trigger["sample"]) for trigger in result["triggers"]] == [0, 2, 0, 0, 2]
    everybody = deployment.json("trigger", "dry-run", "--rules", folder / "new", "--as-of", "latest")["triggers"][1]
    [ada] = [item for item in everybody["sample"] if item["profile_id"] == ADA]
    assert 50 < ada["score"] < 55, "as of the worker's decisions, a day after the events"
    assert (ada["grade"], ada["firstName"]) == ("B1", "Ada")
    assert list(result["triggers"][0]["waits"]) == ["cooldown", "consent", "quiet_hours"]


def test_a_dry_run_writes_nothing(deployment, folder):
    before = profile_snapshot(deployment.settings, silent).rows

    shown = [deployment.run("trigger", "dry-run", "--rules", folder / "new", "--as-of", "latest") for _ in range(2)]

    assert shown[0].stdout == shown[1].stdout
    assert profile_snapshot(deployment.settings, silent).rows == before


def test_a_person_sees_a_line_a_trigger_and_some_customers(deployment, folder):
    shown = deployment.run("trigger", "dry-run", "--rules", folder / "new", "--as-of", "latest").stdout

    for words in (
        "Of 5 customers", "engagement falls below 20", "segment email_only is entered",
        "Some profiles for which they would fire", ADA, "B1", "Ada, ada@shop.example",
    ):  # fmt: skip
        assert words in shown
    assert "Some for whom" not in deployment.run("trigger", "dry-run", "--sample", "0").stdout


def test_each_refusal_of_a_dry_run_has_its_exit_code(deployment, tmp_path):
    assert "write now, latest" in deployment.run("trigger", "dry-run", "--as-of", "noon", code=2).stderr
    assert "is before the newest" in deployment.run("trigger", "dry-run", "--as-of", "2020-01-01", code=2).stderr
    (tmp_path / "triggers.yaml").write_text("triggers: [{ name: hot, high: 5, lwo: 2 }]")
    output = deployment.run("trigger", "dry-run", "--rules", tmp_path, code=1).stderr
    assert "triggers.yaml:1:" in output
    assert "did you mean low?" in output
