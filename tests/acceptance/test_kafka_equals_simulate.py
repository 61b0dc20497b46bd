"""A shop day through Kafka with two workers and through ``simulate``: the same customers, byte for byte.

In a file events have one order; on Kafka the order between channels and partitions is whatever the workers make it. So
this is also the proof that what is known of a customer does not depend on the order of arrival.
"""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from pipeline.avro.wire import Decoder
from pipeline.demo.shop import shop_day
from pipeline.event.identifier import key_of
from pipeline.event.model import CHANNELS
from pipeline.identity.messages import Assignment
from pipeline.identity.profile_id import profile_id
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.stream.watermark import KEY_PREFIX
from pipeline.topics import ACTIONS, ASSIGNMENTS, DLQ
from tests.acceptance.command import run
from tests.acceptance.progress import Progress
from tests.support.fleet import Fleet
from tests.support.records import committed

pytestmark = pytest.mark.kafka

SEED = int(os.environ.get("STITCHLINE_SEED", "7"))
REPLAY = f"replay: STITCHLINE_SEED={SEED} pytest {__file__}"
PEOPLE, EVENTS = 600, 12_000
DAY_ENDS_MS, AS_OF = 1_782_909_000_000, "2026-07-02"
TENANT = "default"


class Outcome(NamedTuple):
    """What one of the two runs says in the end."""

    exported: bytes
    """The file of all profiles at one moment."""
    actions: list[dict[str, Any]]
    quarantined: int

    def profiles(self) -> dict[str, dict[str, Any]]:
        """By profile id."""
        result = [msgspec.json.decode(line) for line in self.exported.splitlines()]
        return {profile["profile_id"]: profile for profile in result}

    def owners(self) -> dict[str, str]:
        """Identifier to profile id. On this day no two customers share an identifier."""
        pairs = [(ident, name) for name, profile in self.profiles().items() for ident in profile["identifiers"]]
        assert len(dict(pairs)) == len(pairs), "an identifier is in two profiles"
        return dict(pairs)

    def leads(self) -> Counter[tuple[str, str]]:
        """Leads that stand, by today's profile and trigger: the last word is not that they duplicate another."""
        words = sorted(self.actions, key=lambda action: int(action["revision"]))
        assert len({(action["action_id"], action["revision"]) for action in words}) == len(words)
        last = {action["action_id"]: action for action in words}
        owners, standing = self.owners(), Counter[tuple[str, str]]()
        for action in last.values():
            (customer,) = {owners[ident] for ident in action["identifiers"]}
            standing[customer, action["trigger"]] += action["kind"] == "lead"
        return +standing


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("shop") / "day.ndjson"
    shown = shop_day(DAY_ENDS_MS, seed=SEED, people=PEOPLE, events=EVENTS).events
    assert {event["channel"] for event in shown} == set(CHANNELS)
    path.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in shown))
    return path


@pytest.fixture(scope="module")
def settings(kafka, tmp_path_factory) -> Settings:
    prefix = f"t{os.getpid()}-shop-day"
    return Settings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=prefix,
        application_id=prefix,
        partitions=4,
        clock="stream",
        home=tmp_path_factory.mktemp("home"),
    )


@pytest.fixture(scope="module")
def simulated(day, settings) -> Outcome:
    out = settings.home / "simulated"
    run(settings, "simulate", day, "--clock", "stream", "--as-of", AS_OF, "--out", out)
    lines = (out / "crm-actions.ndjson").read_bytes().splitlines()
    quarantined = len((out / "dlq.ndjson").read_bytes().splitlines())
    return Outcome((out / "profiles.ndjson").read_bytes(), [msgspec.json.decode(line) for line in lines], quarantined)


@pytest.fixture(scope="module")
def piped(day, settings) -> Outcome:
    exported = settings.home / "profiles.ndjson"
    with Fleet(settings) as fleet, Progress(settings, fleet) as progress:
        run(settings, "ingest", day)  # before the workers: they find every channel full, and read on as they like
        fleet.start("a")
        fleet.start("b")
        fleet.until("everything is consumed", progress.drained)
        run(settings, "profile", "export", exported, "--as-of", AS_OF)
        assert [fleet.end(worker_id) for worker_id in "ab"] == [0, 0]
    decode = Decoder(ACTIONS.value)
    actions = [decode(record.value()) for record in committed(settings, ACTIONS)]
    return Outcome(exported.read_bytes(), actions, len(committed(settings, DLQ)))


def test_the_same_customers_are_known_by_the_same_ids(simulated, piped):
    ours, theirs = piped.profiles(), simulated.profiles()

    assert ours.keys() - theirs.keys() == set(), REPLAY
    assert theirs.keys() - ours.keys() == set(), REPLAY
    assert len(ours) > PEOPLE
    assert piped.quarantined == simulated.quarantined == 0


def test_every_profile_is_the_same_to_the_last_byte(simulated, piped):
    ours, theirs = piped.profiles(), simulated.profiles()
    different = [name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]]
    shown = "".join(f"\n{name}: {_differences(ours[name], theirs[name])}" for name in different[:3])

    assert not different, f"{len(different)} profiles differ; {REPLAY}{shown}"
    assert piped.exported == simulated.exported, f"equal profiles, other bytes; {REPLAY}"


def _differences(ours: dict[str, Any], theirs: dict[str, Any]) -> Iterable[str]:
    return [f"{key}: Kafka {ours[key]}, simulate {theirs[key]}" for key in ours if ours[key] != theirs[key]]


def test_every_identifier_is_assigned_to_the_profile_that_simulate_put_it_in(settings, simulated, piped):
    decode = msgspec.msgpack.Decoder(Assignment).decode
    assigned: dict[str, Assignment] = {}
    for record in committed(settings, ASSIGNMENTS):
        if record.key().startswith(KEY_PREFIX):
            continue
        assignment = decode(record.value())
        key = record.key().decode()
        assigned[key] = max(assignment, assigned.get(key, assignment), key=lambda item: item.seq)
    owners = simulated.owners()

    result = {
        ident: assigned[key].profile_id if (key := key_of(TENANT, ident)) in assigned else profile_id(TENANT, ident)
        for ident in owners
    }
    assert result == owners, REPLAY
    assert assigned.keys() <= {key_of(TENANT, ident) for ident in owners}, REPLAY


def test_the_same_customers_are_leads_once_each(settings, simulated, piped):
    """Which firings there were may differ: two halves of a customer that both grew hot before they were one fire twice,
    and the second lead is taken back, while halves that were joined sooner fire once. That depends on which came first.

    The final leads may differ only for customers that are hot in passing: at ten o'clock, and no more at noon.
    A worker that reads noon first never sees that. On this day there are none: every lead is hot at the last event.
    """
    latest = settings.home / "latest.ndjson"
    run(settings, "profile", "export", latest, "--as-of", "latest")
    (rule,) = load_rules().triggers.triggers
    hot = {
        (profile["profile_id"], rule.name)
        for profile in map(msgspec.json.decode, latest.read_bytes().splitlines())
        if any(score["name"] == rule.score and score["value"] >= rule.high for score in profile["scores"])
    }

    assert piped.leads() == simulated.leads(), REPLAY
    assert piped.leads() == Counter(hot), REPLAY
    assert len(hot) > 20
