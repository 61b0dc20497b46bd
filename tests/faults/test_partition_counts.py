"""The number of partitions of a topic changes: a worker refuses to go on, and events move into new topics."""

import json
import shutil
import time
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.control.send_command import CommandSender, new_command
from pipeline.kafka.admin import ensure_topics
from pipeline.local.broker import Broker
from pipeline.settings import Settings
from pipeline.topics import ALL, EVENTS, LINKS, Topic
from tests.support.events import as_sent, events_of_profiles, web_event
from tests.support.fleet import Fleet
from tests.support.records import committed, send

pytestmark = pytest.mark.kafka

BEFORE, AFTER = 2, 4
CUSTOMERS, EACH = 40, 3
ENDED_S = 60.0
ADVICE = "stitchline topics copy"


@pytest.fixture
def settings(kafka: Broker, topic_prefix: str, tmp_path: Path) -> Settings:
    return Settings(
        bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, application_id=topic_prefix,
        home=tmp_path, partitions=BEFORE, session_timeout_ms=3000,
    )  # fmt: skip


def grow(settings: Settings, topics: tuple[Topic, ...]) -> None:
    names = [topic.of(settings.topic_prefix) for topic in topics]
    admin = AdminClient({**settings.kafka(), "log_level": 0})
    for future in admin.create_partitions([NewPartitions(name, AFTER) for name in names]).values():
        future.result(30)


def count(settings: Settings, fleet: Fleet) -> dict[str, int]:
    """Sends events and waits until they are counted. Returns the events of each customer."""
    now_ms = time.time_ns() // 1_000_000
    owners = [f"user_id:c{number % CUSTOMERS}" for number in range(CUSTOMERS * EACH)]
    send(
        settings, EVENTS["web"], [as_sent(web_event(f"m{n}", [owner], now_ms)) for n, owner in enumerate(owners)]
    )  # fmt: skip
    expected = dict.fromkeys(owners, EACH)
    fleet.until("every event is counted", lambda: events_of_profiles(settings) == expected)
    return expected


def last_line(fleet: Fleet, code: int = 1) -> str:
    assert fleet.ended("a", ENDED_S) == code
    line = fleet.said("a").splitlines()[-1]
    assert line.startswith("stitchline: ")
    assert ADVICE in line
    return line


def test_one_topic_that_grows_alone_is_refused_while_running_and_at_the_start(settings: Settings) -> None:
    with Fleet(settings) as fleet:
        fleet.start("a")
        fleet.until_ready("a")
        grow(settings, (EVENTS["app"],))
        line = last_line(fleet)
        assert f"{EVENTS['app'].of(settings.topic_prefix)} has {AFTER} partitions" in line
        assert f"built for {BEFORE}" in line
        entries = [json.loads(entry) for entry in fleet.said("a").splitlines()[:-1]]
        assert not [entry for entry in entries if "exception" in entry]
        fleet.start("a")
        line = last_line(fleet)
        assert f"{EVENTS['app'].of(settings.topic_prefix)} has {AFTER}" in line


def test_state_is_refused_under_another_number_even_after_a_lost_disk_and_events_move_into_new_topics(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Fleet(settings) as fleet:
        fleet.start("a")
        expected = count(settings, fleet)
        suppressed = new_command("default", "suppress", "device_id:d", "", "ada", "a kiosk", 1)
        CommandSender(settings).send(suppressed)
        assert fleet.end("a") == 0
        grow(settings, ALL)
        fleet.start("a")
        assert f"the topics have {AFTER} partitions, but the state was built for {BEFORE}" in last_line(fleet)
        shutil.rmtree(settings.home / "state")
        fleet.start("a")
        assert f"the topics have {AFTER} partitions, but the state was built for {BEFORE}" in last_line(fleet)
    grown = settings.model_copy(
        update={"topic_prefix": f"{settings.topic_prefix}-2", "application_id": f"{settings.application_id}-2",
                "partitions": AFTER}
    )  # fmt: skip
    ensure_topics(grown)
    for name in ("bootstrap_servers", "topic_prefix", "application_id", "home"):
        monkeypatch.setenv(f"STITCHLINE_{name.upper()}", str(getattr(grown, name)))
    assert copy(settings) == {**dict.fromkeys((topic.name for topic in (*EVENTS.values(), LINKS)), 0),
        EVENTS["web"].name: CUSTOMERS * EACH, LINKS.name: 1
    }  # fmt: skip
    assert set(copy(settings).values()) == {0}  # each record once, however often it runs
    assert sorted(message.value() for message in committed(grown, EVENTS["web"])) == sorted(
        message.value() for message in committed(settings.model_copy(update={"partitions": AFTER}), EVENTS["web"])
    )
    with Fleet(grown) as fleet:
        fleet.start("a")
        fleet.until("every event is counted", lambda: events_of_profiles(grown) == expected)
        assert fleet.end("a") == 0


def copy(source: Settings) -> dict[str, int]:
    result = CliRunner().invoke(app, ["topics", "copy", "--from", source.topic_prefix, "--json"])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout)["copied"])


def test_a_copy_into_the_same_topics_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bootstrap_servers", "topic_prefix", "home"):
        monkeypatch.setenv(f"STITCHLINE_{name.upper()}", str(getattr(settings, name)))
    result = CliRunner().invoke(app, ["topics", "copy", "--from", settings.topic_prefix])
    assert result.exit_code == 2
    assert result.stderr.startswith("stitchline: the topics have this prefix already")
