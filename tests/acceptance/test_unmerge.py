"""A wrong merge, more events, then ``unlink``: every profile is, to the last byte, that of a life without the merge.

In memory with many lives, each settled in other steps; and once on a real Kafka, through the command line.
"""

import os
import random
from typing import Any

import msgspec
import pytest

from pipeline.identity.messages import Command
from pipeline.settings import Settings
from pipeline.testing.build import event_json
from tests.acceptance.command import run
from tests.acceptance.progress import Progress
from tests.support.fleet import Fleet
from tests.support.simulated import Story, decision

START_MS = 1_772_366_400_000
HOUR_MS = 3_600_000
SEEDS = 40
Events = list[dict[str, Any]]


def event(number: int, channel: str = "web", name: str = "product_viewed", **more: Any) -> dict[str, Any]:
    return event_json(number, name, start_ms=START_MS, step_ms=HOUR_MS, channel=channel, **more)


def bought(number: int, total: str, **more: Any) -> dict[str, Any]:
    properties = {"total": total, "currency": "EUR", "order_id": f"o{number}"}
    return event(number, "pos", "order_completed", properties=properties, **more)


ANN: Events = [
    event(1, anonymousId="ann-1", properties={"product": "Kettle"}),
    event(2, type="identify", userId="ann", anonymousId="ann-1", traits={"email": "ann@shop.example", "city": "Ulm"}),
    event(5, "app", userId="ann", identifiers={"device_id": "ann-phone"}),
    bought(8, "19.99", identifiers={"loyalty_id": "L-1", "email": "ann@shop.example"}),
]
BOB: Events = [
    event(0, anonymousId="bob-1", properties={"product": "Tent"}),
    event(3, type="identify", anonymousId="bob-1", traits={"email": "bob@shop.example", "city": "Bern"}),
    event(6, "app", identifiers={"email": "bob@shop.example", "device_id": "bob-phone"}),
    bought(7, "149.00", identifiers={"loyalty_id": "L-2", "email": "bob@shop.example"}),
]
LATER: Events = [
    event(20, userId="ann", anonymousId="ann-2"),
    bought(21, "5.01", identifiers={"loyalty_id": "L-2"}),
    event(
        22, type="identify", identifiers={"email": "bob@shop.example"}, anonymousId="bob-2", traits={"city": "Basel"}
    ),
    event(23, anonymousId="bob-2", properties={"product": "Stove"}),
    event(24, "app", identifiers={"device_id": "ann-phone"}, properties={"product": "Lamp"}),
    event(4, anonymousId="bob-1", properties={"product": "late"}),
    event(25, "email", "email_opened", identifiers={"email": "ann@shop.example"}),
]
SHARED = event(12, "app", userId="ann", identifiers={"device_id": "bob-phone"})
ALIAS = event(12, type="alias", userId="ann", previousId="bob-1")
WRONG: dict[str, tuple[Events | list[Command], tuple[str, str]]] = {
    "a device they shared once": ([SHARED], ("user_id:ann", "device_id:bob-phone")),
    "an alias": ([ALIAS], ("user_id:ann", "anonymous_id:bob-1")),
    "a person": (
        [decision("link", "email:ann@shop.example", "email:bob@shop.example", START_MS + 12 * HOUR_MS)],
        ("email:ann@shop.example", "email:bob@shop.example"),
    ),
}


def owners(story: Story) -> set[str]:
    return set(story.lines())


def apart_from_the_start(wrong: list[Any], pair: tuple[str, str], later: list[Any]) -> Story:
    """The life in which the merge never happened: each event still goes to whoever it is booked under."""
    events = [message for message in wrong if not isinstance(message, Command)]
    keeps_apart = [decision("unlink", *pair)] if events else []
    return Story().tell(*keeps_apart, *ANN, *BOB, *events, *later)


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("stepwise", [False, True], ids=["at once", "one by one"])
def test_after_unlink_both_customers_are_as_if_they_had_never_been_merged(name, stepwise):
    wrong, pair = WRONG[name]
    shown = [*ANN, *BOB, *wrong]
    story = Story().one_by_one(shown) if stepwise else Story().tell(*shown)
    assert len(owners(story)) == 1, "the merge did not happen: this test shows nothing"
    story = story.one_by_one(LATER) if stepwise else story.tell(*LATER)
    story.tell(decision("unlink", *pair, START_MS + 30 * HOUR_MS))

    assert len(owners(story)) == 2
    assert story.exported() == apart_from_the_start(wrong, pair, LATER).exported()


def test_after_unlink_bob_equals_a_run_without_the_merging_event():
    wrong, pair = WRONG["a device they shared once"]
    merged = Story().tell(*ANN, *BOB, *wrong).tell(*LATER).tell(decision("unlink", *pair))
    innocent = Story().tell(*ANN, *BOB, event(12, "app", userId="ann"), *LATER)
    bobs = {name: line for name, line in merged.lines().items() if b'"email:bob@shop.example"' in line}

    assert merged.lines().keys() == innocent.lines().keys()
    assert len(bobs) == 1
    assert bobs.items() <= innocent.lines().items()


def test_events_after_the_unlink_go_to_their_owners_too_and_cannot_merge_again():
    wrong, pair = WRONG["a device they shared once"]
    again = [event(40, "app", userId="ann", identifiers={"device_id": "bob-phone"}), bought(41, "7.00", userId="ann")]
    story = Story().tell(*ANN, *BOB, *wrong).tell(decision("unlink", *pair)).tell(*LATER).tell(*again)

    assert len(owners(story)) == 2
    assert story.exported() == apart_from_the_start(wrong, pair, [*LATER, *again]).exported()


def test_linked_and_unlinked_again_and_again_nothing_is_left_behind():
    pair = WRONG["a person"][1]
    story = Story().tell(*ANN, *BOB)
    for turn in range(5):
        story.tell(decision("link", *pair, START_MS + turn), LATER[turn])
        story.tell(decision("unlink", *pair, START_MS + turn))

    assert story.exported() == Story().tell(*ANN, *BOB, *LATER[:5]).exported()


class Life:
    """Some customers with identifiers of their own, what they do, and wrong links between them."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        people = self._chance.randint(2, 5)
        self._own = {
            who: {
                **({"user_id": f"u{who}"} if self._chance.random() < 0.4 else {}),
                "email": f"p{who}@shop.example", "loyalty_id": f"L-{who}", "device_id": f"d-{who}",
                "anonymous_id": f"a-{who}",
            }
            for who in range(people)
        }  # fmt: skip
        events = [self._event(number) for number in range(self._chance.randint(20, 60))]
        wrong = [self._wrong() for _ in range(self._chance.randint(1, 4))]
        self.after = [self._event(number) for number in range(60, 60 + self._chance.randint(0, 6))]
        self.apart = self._shuffled(events)
        links = [decision("link", *pair, START_MS + 70 * HOUR_MS) for pair in wrong]
        self.merged = self._shuffled([*events, *links])
        self.undone = [decision("unlink", *pair, START_MS + 71 * HOUR_MS) for pair in wrong]

    def _event(self, number: int) -> dict[str, Any]:
        own = self._own[self._chance.choice(list(self._own))]
        kinds = self._chance.sample(sorted(own), self._chance.randint(1, 3))
        shown = {"identifiers": {kind: own[kind] for kind in kinds}}
        if self._chance.random() < 0.3:
            return bought(number, f"{self._chance.randint(1, 300)}.{self._chance.randint(10, 99)}", **shown)
        return event(number, self._chance.choice(["web", "app", "email"]), **shown)

    def _wrong(self) -> tuple[str, str]:
        one, other = self._chance.sample(list(self._own), 2)
        return tuple(  # type: ignore[return-value]
            f"{kind}:{self._own[who][kind]}"
            for who in (one, other)
            for kind in [self._chance.choice(sorted(self._own[who]))]
        )

    def _shuffled(self, messages: list[Any]) -> list[Any]:
        """Mostly in order, with late ones."""
        keyed = [(at + self._chance.choice([0, 0, 0, 15]) * self._chance.random(), at) for at in range(len(messages))]
        return [messages[at] for _, at in sorted(keyed)]

    def steps(self, messages: list[Any]) -> Story:
        story, at = Story(), 0
        while at < len(messages):
            size = self._chance.randint(1, 12)
            story.tell(*messages[at : at + size])
            at += size
        return story


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_life_with_wrong_links_undone_is_the_life_without_them(seed):
    life = Life(seed)
    parted = life.steps(life.merged).tell(*life.undone).tell(*life.after)
    apart = life.steps(life.apart).tell(*life.after)

    assert {"merged", "split"} <= {change["change"] for change in parted.changes()}, "nothing was merged and parted"
    assert parted.exported() == apart.exported(), f"replay: pytest {__file__} -k 'any_life and {seed}'"


@pytest.mark.kafka
def test_on_kafka_unlink_on_the_command_line_gives_both_customers_back(kafka, topic_prefix, tmp_path):
    settings = Settings(
        bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, application_id=topic_prefix,
        partitions=4, clock="stream", stream_idle_ms=2_000, timer_interval_ms=100, home=tmp_path,
    )  # fmt: skip
    pair, exported = WRONG["a person"][1], tmp_path / "profiles.ndjson"

    def profiles() -> list[bytes]:
        fleet.until("everything is consumed", progress.drained)
        run(settings, "profile", "export", exported, "--as-of", "latest")
        return exported.read_bytes().splitlines()

    def ingest(name: str, events: Events) -> None:
        file = tmp_path / name
        file.write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in events))
        run(settings, "ingest", file)

    with Fleet(settings) as fleet, Progress(settings, fleet) as progress:
        fleet.start("a")
        fleet.until_ready("a")
        ingest("before.ndjson", [*ANN, *BOB])
        assert len(profiles()) == 2
        run(settings, "identity", "link", *pair, "--why", "they look alike", "--actor", os.environ.get("USER", "me"))
        assert len(profiles()) == 1
        ingest("later.ndjson", LATER)
        assert len(profiles()) == 1
        run(settings, "identity", "unlink", *pair, "--why", "they are not")
        result = profiles()
        assert fleet.end("a") == 0

    assert len(result) == 2
    assert exported.read_bytes() == Story().tell(*ANN, *BOB, *LATER).exported()
