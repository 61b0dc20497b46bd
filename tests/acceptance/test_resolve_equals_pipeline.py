"""``identity resolve`` over a file and the three stages over the same events: the same customers, whatever the order.

People share devices and inboxes, log in and out, and an alias says of some that they are one.
"""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from tests.support.simulated import Story

SEEDS, EVENTS = 25, 90
START_MS, MINUTE_MS = 1_772_366_400_000, 60_000


def events(seed: int) -> list[dict[str, Any]]:
    """No two at the same time: the stages may process two simultaneous sightings in either order."""
    chance = random.Random(seed)
    result = []
    for number in range(EVENTS):
        who, device = chance.randrange(6), chance.randrange(5)
        shown: dict[str, Any] = {
            "type": "track", "event": chance.choice(["look", "look", "look", "signed_out"]), "channel": "web",
            "messageId": f"m{number}", "timestamp": START_MS + number * chance.randint(1, 40) * MINUTE_MS + number,
            "identifiers": {},
        }  # fmt: skip
        if chance.random() < 0.6:
            shown["userId"] = f"u{who}"
        if chance.random() < 0.3:
            shown["identifiers"]["email"] = chance.choice([f"p{who}@shop.example", "office@corp.example"])
        if chance.random() < 0.3:
            shown["identifiers"]["device_id"] = f"d{device}"
        if chance.random() < 0.7 or len(shown) == 6:
            shown["anonymousId"] = f"a{device}"
        if chance.random() < 0.03 and "userId" in shown:
            shown |= {"type": "alias", "previousId": chance.choice("auu") + str(chance.randrange(8))}
        result.append(shown)
    return [shown for shown in result if shown.keys() & {"userId", "anonymousId"} or shown["identifiers"]]


def resolved(path: Path, shown: list[dict[str, Any]]) -> dict[str, Any]:
    path.write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in shown))
    done = CliRunner().invoke(app, ["identity", "resolve", str(path), "--json"])
    assert done.exit_code == 0, done.output
    result: dict[str, Any] = msgspec.json.decode(done.stdout)
    return result


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_pure_function_and_the_stages_know_the_same_customers(seed, tmp_path):
    shown = events(seed)
    result = resolved(tmp_path / "events.ndjson", shown)
    chance, story, at = random.Random(seed), Story(), 0
    late = sorted(range(len(shown)), key=lambda place: place + 12 * chance.random())
    while at < len(late):
        size = chance.randint(1, 15)
        story.tell(*(shown[place] for place in late[at : at + size]))
        at += size
    stored, replay = story.identity(), f"replay: pytest {__file__} -k '{seed}'"

    assert {
        ident: group["founder"] for group in result["groups"] for ident in group["identifiers"]
    } == {
        ident: stored.founder(ident) for group in result["groups"] for ident in group["identifiers"]
    }, replay  # fmt: skip
    attributed = {event["profile_id"] for event in result["events"]}
    assert story.lines().keys() == attributed, replay


def test_the_seeds_log_out_share_and_merge_by_alias(tmp_path):
    current = [
        item["rejected"]
        for seed in range(SEEDS)
        for item in resolved(tmp_path / "events.ndjson", events(seed))["rejected"]
    ]  # fmt: skip

    assert {"limit", "logged_out"} <= set(current)
    aliases = [item for seed in range(SEEDS) for item in events(seed) if item.get("previousId", "").startswith("u")]
    assert {item["previousId"] in {f"u{n}" for n in range(6)} for item in aliases} == {True, False}
