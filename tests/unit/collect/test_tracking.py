"""Tracking plans at the door: what breaks one is counted by name, and let through, trimmed or blocked."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from connectors.collect.infer_plan import Inferred
from connectors.collect.tracking import MAX_NAMES, OTHERS, Violation, Violations
from connectors.collect.violation_file import ViolationFile
from pipeline.cli import app
from pipeline.rules.load import load_rules
from pipeline.rules.sources import SourceRules
from tests.support.collecting import Door, shop

EVENTS = [
    {
        "name": "Product Viewed",
        "properties": [
            {"name": "product_id", "type": "text", "required": True},
            {"name": "price", "type": "number"},
            {"name": "size", "one_of": ["S", "M"]},
        ],
        "closed": True,
    },
    {"name": "identify", "call": "identify", "properties": [{"name": "age", "type": "integer"}]},
    {"name": "page", "call": "page", "properties": [{"name": "name", "type": "text", "required": True}]},
]


def door(**plan: Any) -> Door:
    return Door(shop(plan={"events": EVENTS, **plan}))


def track(**properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "userId": "u", "messageId": "m", "properties": properties}


def counted(door: Door) -> dict[tuple[str, str], str]:
    violations = door.sources.named("shop").violations.counts  # type: ignore[union-attr]
    return {(one.event, one.property): one.problem for one in violations}


WRONG = track(price="9.99", size="XL", colour="red")
PROBLEMS = {
    ("Product Viewed", "product_id"): "missing",
    ("Product Viewed", "price"): "wrong type",
    ("Product Viewed", "size"): "not one of",
    ("Product Viewed", "colour"): "unplanned property",
}


def test_what_keeps_the_plan_is_taken_and_nothing_is_counted() -> None:
    shop_door = door(unplanned="block", violations="block")
    calls = [
        track(product_id="p", price=9.5, size="M"), track(product_id="p", price=9, **{"$lib": "x"}),
        {"type": "identify", "userId": "u", "traits": {"age": 30}},
        {"type": "identify", "userId": "u", "context": {"traits": {"age": 30}}},
        {"type": "page", "userId": "u", "name": "Home"},
        {"type": "page", "userId": "u", "properties": {"name": "Home"}},
    ]  # fmt: skip
    assert shop_door.send("POST", "/v1/batch", {"batch": calls}).json()["accepted"] == len(calls)
    assert counted(shop_door) == {}


def test_violations_are_let_through_and_counted_by_name() -> None:
    shop_door = door()
    assert shop_door.send("POST", "/v1/events", WRONG).json()["accepted"] == 1
    assert shop_door.kept.events[0].properties == {"price": "9.99", "size": "XL", "colour": "red"}
    assert counted(shop_door) == PROBLEMS


def test_trimming_removes_the_wrong_properties_only() -> None:
    shop_door = door(violations="trim")
    sent = track(product_id="p", **WRONG["properties"])
    assert shop_door.send("POST", "/v1/events", sent).json()["accepted"] == 1
    assert shop_door.kept.events[0].properties == {"product_id": "p"}
    shop_door.send("POST", "/v1/identify", {"userId": "u", "traits": {"age": "old", "name": "Ada"}})
    assert shop_door.kept.events[1].traits == {"name": "Ada"}


def test_a_blocked_event_is_quarantined_as_sent_and_costs_itself_only() -> None:
    shop_door = door(violations="block", unplanned="block")
    unplanned = {**track(), "event": "Product Bought\x1b"}
    reply = shop_door.send("POST", "/v1/events", [WRONG, track(product_id="p"), unplanned]).json()
    assert [item["index"] for item in reply["rejected"]] == [0, 2]
    assert [msgspec.json.decode(raw) for raw, _ in shop_door.kept.quarantined] == [WRONG, unplanned]
    details = [facts["detail"] for _, facts in shop_door.kept.quarantined]
    assert details == ["tracking plan: product_id: missing", "tracking plan: the plan does not name this event"]
    assert "colour" not in " ".join(details)


def test_names_from_outside_are_counted_together_beyond_a_limit() -> None:
    violations = Violations()
    for number in range(MAX_NAMES + 50):
        violations.add(Violation(f"e{number}", "", "unplanned event"))
    assert len(violations.counts) == MAX_NAMES + 1
    assert violations.counts[Violation(OTHERS, "", "unplanned event")] == 50


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("{events: [{name: a}, {name: a}]}", "there twice"),
        ("{events: [{name: a, call: page}]}", "only track calls have names"),
        ("{events: [{name: a, properties: [{name: x, type: texts}]}]}", "did you mean text"),
        ("{events: [{name: a, properties: [{name: x, type: list, one_of: [a]}]}]}", "write type: text"),
        ("{violation: trim}", "did you mean violations"),
    ],
)
def test_a_plan_with_mistakes_is_refused_with_its_line(tmp_path: Path, plan: str, message: str) -> None:
    (tmp_path / "sources.yaml").write_text(f"sources:\n  - {{name: a, channel: web, plan: {plan}}}\n")
    checked = CliRunner().invoke(app, ["rules", "check", str(tmp_path)])
    assert checked.exit_code == 1
    assert "sources.yaml:2:" in checked.output
    assert message in checked.output


def test_violations_are_shown_most_first_and_outlive_a_restart(tmp_path: Path) -> None:
    file = ViolationFile(tmp_path / "collect" / "violations.json")
    first = door()
    for _ in range(3):
        first.send("POST", "/v1/events", track())
    first.send("POST", "/v1/events", {**track(), "event": "x\x1b[2J"})
    file.save({"shop": first.sources.named("shop").violations})  # type: ignore[union-attr]

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(app, ["plan", "violations", *arguments], env={"STITCHLINE_HOME": str(tmp_path)})
        assert done.exit_code == 0, done.output
        return done.stdout

    rows = msgspec.json.decode(run("--json"))["violations"]
    assert rows[0] == {
        "source": "shop", "event": "Product Viewed", "property": "product_id", "problem": "missing", "count": 3
    }  # fmt: skip
    assert "\x1b" not in run()
    assert msgspec.json.decode(run("--json", "--source", "other"))["violations"] == []
    again = ViolationFile(tmp_path / "collect" / "violations.json").restored()["shop"]
    assert again.counts == first.sources.named("shop").violations.counts  # type: ignore[union-attr]


def test_an_inferred_plan_is_valid_and_all_its_events_keep_it(tmp_path: Path) -> None:
    events = [
        ("track", "Bought: all #1", {"price": 1.5, "tags": ["a"], "n": None, "flag": True}, {}),
        ("track", "Bought: all #1", {"price": 2, "tags": "a", 'quoted "name" {}': 1, "flag": False}, {}),
        ("identify", "", {}, {"address": {"city": "Ulm"}, "age": 3}),
        ("page", "", {"name": "Home"}, {}),
    ]  # fmt: skip
    inferred = Inferred()
    for event in events:
        inferred.add(*event)
    text = "".join(f"    {line}\n" for line in inferred.as_yaml().splitlines())
    (tmp_path / "sources.yaml").write_text(f"sources:\n  - name: shop\n    channel: web\n{text}")
    plan = load_rules(tmp_path).sources.sources[0].plan
    assert plan is not None
    by_name = {event.name: {one.name: (one.type, one.required) for one in event.properties} for event in plan.events}
    assert by_name["Bought: all #1"] == {
        "price": ("number", True), "tags": ("any", True), "flag": ("boolean", True),
        'quoted "name" {}': ("integer", False),
    }  # fmt: skip
    assert by_name["identify"] == {"address": ("object", True), "age": ("integer", True)}
    strict = msgspec.structs.replace(plan, unplanned="block", violations="block")
    rules = SourceRules(sources=(msgspec.structs.replace(shop(), plan=strict),))
    shop_door = Door(*rules.sources)
    for call, name, properties, traits in events:
        sent = {"type": call, "event": name, "userId": "u", "properties": properties, "traits": traits}
        assert shop_door.send("POST", "/v1/events", sent).json()["accepted"] == 1, call


def test_a_sample_keeps_whole_visitors_and_counts_the_others() -> None:
    shop_door = Door(shop(sample=0.3))
    calls = [
        {"type": "track", "event": "x", "anonymousId": f"a{number % 500}", "messageId": f"m{number}"}
        for number in range(1500)
    ]
    replies = [
        shop_door.send("POST", "/v1/batch", {"batch": calls[at : at + 500]}).json() for at in range(0, 1500, 500)
    ]
    visitors = [ident for event in shop_door.kept.events for ident in event.identifiers]
    assert {visitors.count(visitor) for visitor in visitors} == {3}
    assert 100 < len(set(visitors)) < 200
    assert sum(reply["dropped"]["sampled"] for reply in replies) == 1500 - len(visitors)
    assert shop_door.send(
        "POST", "/v1/events", {"type": "track", "event": "x", "identifiers": {"email": "a@b.org"}}
    ).json()["accepted"]
