"""``stitchline identity`` on a real broker: decisions that STITCH answers, and questions to what it keeps."""

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import networkx as nx
import pytest

from pipeline.identity.profile_id import profile_id
from pipeline.local.broker import Broker
from pipeline.testing.build import event_json
from tests.integration.small_deployment import Deployment

pytestmark = pytest.mark.kafka

START_MS = time.time_ns() // 1_000_000 - 86_400_000
ADA, BEN = "user_id:ada", "user_id:ben"
FOUNDER = {ADA: "anonymous_id:ada-1", BEN: "anonymous_id:ben-1", "user_id:eve": "anonymous_id:eve-1"}
"""At equal age the weaker identifier founds: the browser's profile keeps its id at the first log-in."""


def pid(founder: str) -> str:
    return profile_id("default", founder)


event = partial(event_json, start_ms=START_MS, name="look")


EVENTS = [
    event(1, anonymousId="ada-1", userId="ada"),
    event(2, userId="ada", identifiers={"email": "ada@shop.example"}),
    event(3, userId="ben", anonymousId="ben-1"),
    event(4, userId="ada", identifiers={"device_id": "tablet"}),
    event(5, userId="ben", identifiers={"device_id": "tablet"}),
    event(6, userId="eve", anonymousId="eve-1"),
    event(7, userId="eve", identifiers={"account_id": "A-7"}),
    event(8, anonymousId="ben-1", identifiers={"account_id": "A-7"}),
]
LINKED = 9
"""Identifiers that were linked."""
DOUBLE = """
types:
  - {name: user_id, priority: 1, limits: [2 ever]}
  - {name: email, priority: 2, normalise: email, blocked_patterns: ['ada@.*']}
  - {name: device_id, priority: 3}
  - {name: anonymous_id, priority: 4}
  - {name: account_id, priority: 5, household: true}
max_identifiers: 100
"""


@pytest.fixture(scope="module")
def deployment(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Three customers, two of them with one tablet; a worker runs."""
    with Deployment(kafka.bootstrap_servers, f"t{os.getpid()}-identity", tmp_path_factory.mktemp("home")) as made:
        (made.home / "double").mkdir()
        (made.home / "double" / "identifiers.yaml").write_text(DOUBLE)
        made.start_worker()
        made.ingest(EVENTS)

        def stitched() -> bool | None:
            shown = made.json("identity", "dry-run", "--rules", made.home / "double")
            return (shown["identifiers"], len(shown["merges"])) == (LINKED, 1) or None

        made.until(stitched, "links stitched")
        yield made


def test_why_prints_the_way_with_where_each_link_was_seen(deployment):
    facts = deployment.json("identity", "why", "email: ADA@shop.example", "anonymous_id:ada-1")

    assert (facts["together"], facts["profile_ids"]) == (True, [pid(FOUNDER[ADA])] * 2)
    assert [(step["start"], step["end"], step["event_id"]) for step in facts["path"]] == [
        ("email:ada@shop.example", ADA, "web/m2"), (ADA, "anonymous_id:ada-1", "web/m1"),
    ]  # fmt: skip
    assert facts["complete"]
    shown = deployment.run("identity", "why", ADA, "anonymous_id:ada-1").stdout
    assert "are one customer" in shown
    assert "last on web/m1" in shown


def test_why_names_the_limit_that_keeps_two_apart(deployment):
    facts = deployment.json("identity", "why", ADA, BEN)

    assert (facts["together"], facts["profile_ids"]) == (False, [pid(FOUNDER[ADA]), pid(FOUNDER[BEN])])
    assert [(step["rejected"], step["rule"]) for step in facts["obstacles"]] == [("limit", "user_id: 1 ever")]
    shown = deployment.run("identity", "why", ADA, BEN).stdout
    assert "are two customers" in shown
    assert "held for limit (user_id: 1 ever)" in shown
    alone = deployment.run("identity", "why", ADA, "user_id:new").stdout
    assert "user_id:new was never linked" in alone
    assert "no stored link leads" in alone


def test_graph_draws_a_customer_by_identifier_and_by_profile_id(deployment, tmp_path):
    picture, graphml = tmp_path / "ada.svg", tmp_path / "ben.graphml"
    shown = deployment.json("identity", "graph", "email:ada@shop.example", "--out", picture)
    deployment.run("identity", "graph", pid(FOUNDER[BEN]), "--out", graphml)

    assert shown["profile_id"] == pid(FOUNDER[ADA])
    assert ET.fromstring(picture.read_text()).tag.endswith("svg")
    result = nx.read_graphml(graphml)
    assert {ident for ident, node in result.nodes(data=True) if node["member"]} == {
        BEN, "anonymous_id:ben-1", "device_id:tablet",
    }  # fmt: skip
    deployment.run("identity", "graph", pid("anonymous_id:ben-1"), "--out", graphml)
    assert nx.read_graphml(graphml).graph["profile_id"] == pid(FOUNDER[BEN])


def test_a_household_lists_its_members_without_merging_them(deployment, tmp_path):
    facts = deployment.json("identity", "household", "account_id:A-7")
    (mine,) = deployment.json("identity", "household", pid(FOUNDER[BEN]))["households"]
    shown = deployment.run("identity", "household", "user_id:eve").stdout

    assert facts["complete"]
    assert facts["households"] == [mine]
    assert (mine["household_id"], mine["shared"]) == (pid("account_id:A-7"), "account_id:A-7")
    assert mine["profile_ids"] == sorted([pid(FOUNDER[BEN]), pid(FOUNDER["user_id:eve"])])
    assert {member["founder"]: member["identifiers"] for member in mine["members"]} == {
        FOUNDER[BEN]: ["anonymous_id:ben-1"], FOUNDER["user_id:eve"]: ["user_id:eve"],
    }  # fmt: skip
    assert "account_id:A-7: 2 customers" in shown
    assert not deployment.json("identity", "why", BEN, "user_id:eve")["together"]
    assert "shares no household" in deployment.run("identity", "household", ADA).stdout
    picture = tmp_path / "household.svg"
    deployment.run("identity", "graph", "account_id:A-7", "--out", picture)
    assert f"Household {pid('account_id:A-7')}" in picture.read_text()


def test_dry_run_shows_merges_of_other_rules_and_changes_nothing(deployment):
    facts = deployment.json("identity", "dry-run", "--rules", deployment.home / "double")

    assert (facts["profiles_affected"], facts["splits"]) == (2, [])
    (merge,) = facts["merges"]
    assert (merge["profile_id"], [item["founder"] for item in merge["from"]]) == (
        pid(FOUNDER[ADA]),
        [FOUNDER[ADA], FOUNDER[BEN]],
    )
    assert facts["blocked"] == ["email:ada@shop.example"]
    shown = deployment.run("identity", "dry-run", "--rules", deployment.home / "double").stdout
    assert "2 profiles affected, 1 merges, 0 splits" in shown
    assert "1 known identifiers would be blocked" in shown
    assert not deployment.json("identity", "why", ADA, BEN)["together"]


def test_a_decision_is_answered_with_what_it_changed_and_can_be_taken_back(deployment):
    output = ("--why", "ticket 7: one person", "--actor", "ann")
    linked = deployment.json("identity", "link", "email:ada@shop.example", "anonymous_id:eve-1", *output)

    assert linked["answered"]
    assert linked["changes"][0]["change"] == "linked"
    assert {(change["actor"], change["why"]) for change in linked["changes"]} == {("ann", "ticket 7: one person")}
    facts = deployment.json("identity", "why", ADA, "anonymous_id:eve-1")
    assert facts["together"]
    assert (facts["path"][-1]["asserted"], facts["path"][-1]["source"]) == (True, "ann")
    shown = deployment.run("identity", "unlink", "email:ada@shop.example", "anonymous_id:eve-1", *output).stdout
    assert shown.split()[0] == "unlinked"
    assert "split" in shown
    assert not deployment.json("identity", "why", ADA, "anonymous_id:eve-1")["together"]


def test_suppress_and_release_work_on_a_value_that_the_rules_block(deployment):
    output = ("--why", "a shop's terminal")
    deployment.run("identity", "suppress", "device_id:tablet", *output)
    current = deployment.json("identity", "why", BEN, "device_id:tablet")["obstacles"]
    released = deployment.json("identity", "release", "device_id:tablet", *output)

    assert [step["rejected"] for step in current] == ["suppressed"]
    assert "released" in {change["change"] for change in released["changes"]}
    assert deployment.json("identity", "why", BEN, "device_id:tablet")["together"]
    assert deployment.json("identity", "suppress", "anonymous_id:guest", *output)["answered"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["link", ADA, "user_id:guest", "--why", "x"], 2, "is a blocked value"),
        (["link", ADA, "user_id: ada", "--why", "x"], 2, "are one identifier"),
        (["unlink", ADA, "ben", "--why", "x"], 2, "type:value"),
        (["suppress", ADA, "--why", " "], 2, "say --why"),
        (["suppress", ADA, "--why", "x", "--tenant", "A/b"], 2, "tenants are"),
        (["why", ADA, "email:nobody"], 2, "not a valid email"),
        (["graph", ADA, "--out", "ada.png"], 2, "end the name in .svg or .graphml"),
        (["graph", "user_id:new", "--out", "ada.svg"], 4, "user_id:new is unknown"),
        (["graph", pid("user_id:new"), "--out", "ada.svg"], 4, "is unknown"),
        (["household", "account_id:new"], 4, "account_id:new is unknown"),
        (["household", "account_id:"], 2, "not a valid account_id"),
        (["dry-run", "--rules", "nowhere"], 1, "no such directory"),
        (["graph", ADA, "--tenant", "other", "--out", "ada.svg"], 4, "tenant other"),
    ],
)  # fmt: skip
def test_impossible_queries_and_decisions_are_refused_with_a_message(deployment, arguments, code, said):
    done = deployment.run("identity", *arguments, code=code)

    assert said in done.stderr
    assert done.stdout == ""
    assert not Path("ada.svg").exists()


def test_a_decision_waits_in_the_log_until_a_worker_runs(kafka, topic_prefix, tmp_path):
    with Deployment(kafka.bootstrap_servers, topic_prefix, tmp_path) as made:
        assert "no topic" in made.run("identity", "link", ADA, BEN, "--why", "x", code=1).stderr
        made.run("topics", "create")
        sent = made.run("identity", "link", ADA, BEN, "--why", "x", "--no-wait").stdout
        assert sent.startswith(f"decided: link {ADA} {BEN} (decision/")
        assert not made.json("identity", "why", ADA, BEN)["together"]
        worker = made.start_worker()

        def joined() -> bool | None:
            return made.json("identity", "why", ADA, BEN)["together"] or None

        made.until(joined, "the decision taken")
        made.end_worker(worker)
