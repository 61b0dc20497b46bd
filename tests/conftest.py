"""The real servers of a test session, started on first use and named in the report."""

import itertools
import os
import re
from collections.abc import Iterator

import pytest

from pipeline.local.broker import Broker, broker

BROKER = pytest.StashKey[str]()
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """A running Kafka (``bootstrap_servers``, ``description``), shared by the session: use :func:`topic_prefix`."""
    with broker() as running:
        pytestconfig.stash[BROKER] = running.description
        _say(pytestconfig, f"broker: {running.description}")
        yield running


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """First part of this test's topic names and groups; no other test, session or worker process has the same."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40]
    return f"t{os.getpid()}-{next(_numbers)}-{name}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the tests ran on, however short the report."""
    terminalreporter.write_line(f"broker: {config.stash.get(BROKER, 'none was needed')}")


def _say(config: pytest.Config, line: str) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.ensure_newline()
        reporter.write_line(line)
