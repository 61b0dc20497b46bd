"""The Kafka client's own lines in a worker: JSON, at a fitting level, not a thousand times."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from pipeline.obs.librdkafka import OncePerMinute, drop_replaced_lines
from pipeline.obs.log import configure

REFUSED = "[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Connect failed: Connection refused (after {}ms)"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root, client = logging.getLogger(), logging.getLogger("librdkafka")
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure("info", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    client.filters.clear()
    structlog.reset_defaults()


def line(number: int, level: int = logging.ERROR, facility: str = "FAIL") -> None:
    """As confluent-kafka hands a line over."""
    logging.getLogger("librdkafka").log(level, "%s [%s] %s", facility, "rdkafka#consumer-1", REFUSED.format(number))


def test_a_thousand_refused_connections_are_one_warning_with_fields(out: io.StringIO) -> None:
    for number in range(1000):
        line(number)
    (entry,) = (json.loads(text) for text in out.getvalue().splitlines())
    assert entry.pop("timestamp")
    assert entry == {
        "event": "kafka_client", "level": "warning", "logger": "librdkafka", "facility": "FAIL",
        "client": "rdkafka#consumer-1", "repeated": 0,
        "text": "127.0.0.1:1/bootstrap: Connect failed: Connection refused (after 0ms)",
    }  # fmt: skip


def test_levels_of_syslog_become_ours(out: io.StringIO) -> None:
    line(0, logging.CRITICAL, "FATAL")
    line(0, logging.INFO, "TERM")
    line(0, logging.DEBUG, "BROKER")
    entries = [json.loads(text) for text in out.getvalue().splitlines()]
    assert [(entry["facility"], entry["level"]) for entry in entries] == [("FATAL", "error"), ("TERM", "info")]


def test_after_a_minute_the_next_line_counts_those_that_were_left_out() -> None:
    now = [0.0]
    once = OncePerMinute(lambda: now[0])

    def passes(number: int) -> tuple[bool, int]:
        args = ("FAIL", "c", REFUSED.format(number))
        record = logging.LogRecord("librdkafka", logging.ERROR, "", 0, "%s [%s] %s", args, None)
        return once.filter(record), getattr(record, "kafka_client", {}).get("repeated", -1)

    assert passes(1) == (True, 0)
    assert [passes(n) for n in range(3)] == [(False, -1)] * 3
    now[0] = 61.0
    assert passes(5) == (True, 3)


def test_a_worker_drops_the_lines_that_it_replaces_by_its_own_unless_it_debugs(out: io.StringIO) -> None:
    drop_replaced_lines()
    line(0)
    line(0, logging.CRITICAL, "FATAL")
    line(0, logging.WARNING, "CONFWARN")
    assert [json.loads(text)["facility"] for text in out.getvalue().splitlines()] == ["CONFWARN"]
    configure("debug", stream=out)
    drop_replaced_lines()
    line(0)
    assert json.loads(out.getvalue().splitlines()[-1])["facility"] == "FAIL"
