"""One topic whose records are mostly bad: it is stopped and says why, the others go on, and an operator resumes it."""

import json
import signal
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.avro.wire import Encoder
from pipeline.cli import app
from pipeline.local.broker import Broker
from pipeline.settings import Settings
from pipeline.topics import DLQ, EVENTS
from schemas import own_id
from tests.support.events import events_of_profiles, web_event, write
from tests.support.fleet import Fleet
from tests.support.records import Sent, committed, send

pytestmark = pytest.mark.kafka

WINDOW, BAD = 100, 100
GOOD = 30
APP, WEB = EVENTS["app"], EVENTS["web"]


write_app = Encoder("event-app", own_id("event-app"))


def good(encode: Encoder, first: int) -> list[Sent]:
    now_ms = time.time_ns() // 1_000_000
    return [
        Sent(f"default/user_id:c{n}".encode(), encode(web_event(f"m{n}", [f"user_id:c{n}"], now_ms)))
        for n in range(first, first + GOOD)
    ]


def counted(first: int) -> dict[str, int]:
    return {f"user_id:c{number}": 1 for number in range(first, first + GOOD)}


def test_a_bad_source_alone_is_stopped_shows_its_offender_and_is_resumed(
    kafka: Broker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix, application_id=topic_prefix,
        home=tmp_path, partitions=1, poison_window=WINDOW, batch_records=20, session_timeout_ms=3000,
    )  # fmt: skip
    with Fleet(settings) as fleet:
        fleet.start("a")
        fleet.until_ready("a")
        send(settings, APP, [Sent(b"default/user_id:x", b"no Avro %d" % number) for number in range(BAD)])
        fleet.until("the source is stopped", lambda: fleet.metric("a", "stitchline_source_stopped", topic=APP.name))
        status, _ = fleet.page("a", "readyz")
        (reason,) = fleet.reasons("a")
        assert status == 503
        assert reason.startswith(f"stopped reading {APP.of(topic_prefix)}: 100% of the last records")
        assert f"{APP.of(topic_prefix)} partition 0 offset {WINDOW - 1}: undecodable" in reason
        assert fleet.page("a", "livez")[0] == 200
        fleet.until("what it refused is in the DLQ", lambda: len(committed(settings, DLQ)) == WINDOW)
        for name in ("bootstrap_servers", "topic_prefix", "home"):
            monkeypatch.setenv(f"STITCHLINE_{name.upper()}", str(getattr(settings, name)))
        last = committed(settings, DLQ)[-1].offset()  # transaction markers take offsets too
        shown = CliRunner().invoke(app, ["dlq", "show", f"0:{last}", "--json"])
        assert json.loads(shown.stdout)["reason"] == "undecodable", shown.output
        send(settings, APP, [Sent(b"default/user_id:x", b"no Avro either"), *good(write_app, GOOD)])
        send(settings, WEB, good(write, 0))
        fleet.until("the other source is read", lambda: events_of_profiles(settings) == counted(0))
        assert fleet.reasons("a") == [reason]
        assert len(committed(settings, DLQ)) == WINDOW
        fleet.running["a"].send_signal(signal.SIGUSR1)
        fleet.until("the source is read again", lambda: events_of_profiles(settings) == counted(0) | counted(GOOD))
        fleet.until_ready("a")
        assert len(committed(settings, DLQ)) == WINDOW + 1
        assert fleet.metric("a", "stitchline_source_stopped") == 0
        assert fleet.end("a") == 0
        entries = [json.loads(line) for line in fleet.said("a").splitlines()]
    assert [entry["event"] for entry in entries].count("source_stopped") == 1
