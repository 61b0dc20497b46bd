"""The real servers of a test session, started on first use and named in the report."""

import itertools
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest

from pipeline.local.broker import Broker, broker
from pipeline.local.container import engine_answers
from pipeline.local.registry import LocalRegistry
from pipeline.settings import Settings
from tests.support.shared import shared

pytest_plugins = ["tests.support.children", "tests.support.databases", "tests.support.order"]
pytest.register_assert_rewrite("tests.support.fleet", "tests.integration", "tests.acceptance")
A_SLOW_MACHINE = [hypothesis.HealthCheck.too_slow]
"""It is no counterexample; nor is an example that takes longer than the others."""
hypothesis.settings.register_profile("unhurried", deadline=None, suppress_health_check=A_SLOW_MACHINE)
hypothesis.settings.load_profile("unhurried")
SERVERS = pytest.StashKey[dict[str, str]]()
_numbers = itertools.count(1)


class Registry(msgspec.Struct, frozen=True):
    """A schema registry that answers."""

    url: str
    description: str


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all test processes of this session have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config, shared_folder: Path) -> Iterator[Broker]:
    """A running Kafka (``bootstrap_servers``, ``description``), one for all: use :func:`topic_prefix`."""
    with shared(shared_folder, Broker, broker) as running:
        say(pytestconfig, "broker", running.description)
        yield running


@pytest.fixture(scope="session")
def registry(pytestconfig: pytest.Config, shared_folder: Path) -> Iterator[Registry]:
    """A running schema registry (``url``: base of the Confluent API), one for all test processes."""
    with shared(shared_folder, Registry, _registry) as running:
        say(pytestconfig, "schema registry", running.description)
        yield running


@contextmanager
def _registry() -> Iterator[Registry]:
    given = Settings().schema_registry_url
    if given:
        yield Registry(given, given)
    else:
        with LocalRegistry() as running:
            yield Registry(running.url, running.description)


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """First part of this test's topic names and groups; no other test, session or worker process has the same."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40]
    return f"t{os.getpid()}-{next(_numbers)}-{name}"


@pytest.fixture
def container_engine() -> None:
    """For tests that need containers: they are skipped, and the report says so, where no engine answers."""
    if not engine_answers():
        pytest.skip("no container engine answers on this machine: NOT TESTED")


def pytest_configure(config: pytest.Config) -> None:
    """Start with no servers, and with ctrl-c for the programs that tests start: in the background it is ignored."""
    config.stash[SERVERS] = {}
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In one of several test processes: hand what ran to the one that writes the report."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["servers"] = session.config.stash[SERVERS]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the one that writes the report: take over what the others ran on."""
    node.config.stash[SERVERS].update(getattr(node, "workeroutput", {}).get("servers", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the tests ran on, however short the report."""
    for kind, description in (config.stash[SERVERS] or {"broker": "none was needed"}).items():
        terminalreporter.write_line(f"{kind}: {description}")


def say(config: pytest.Config, kind: str, description: str) -> None:
    """Name a server in the report."""
    config.stash[SERVERS][kind] = description
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.ensure_newline()
        reporter.write_line(f"{kind}: {description}")
