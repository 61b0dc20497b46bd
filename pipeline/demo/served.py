"""The demo's console: the read model of the day on the loopback interface, and one user for as long as it is up."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import SecretStr

from pipeline.clock import wall_clock_ms
from pipeline.demo.door import RULES
from pipeline.demo.waiting import holds_within
from pipeline.demo.worker_processes import workers_here
from pipeline.errors import OperatorError
from pipeline.local.ports import LOOPBACK, free_ports, is_listening
from pipeline.serve.model import facts
from pipeline.serve.model.store import Store, store_of
from pipeline.serve.signin.roles import Role
from pipeline.serve.signin.tables import create_tables
from pipeline.serve.signin.users import Users
from pipeline.settings import Settings
from pipeline.stream.supervisor import READ_SIDE, Supervisor, http_port_behind

USER: Final = "demo"
PASSWORD_BYTES: Final = 15
LISTEN_SECONDS: Final = 60.0
BUILD_SECONDS: Final = 60.0
"""How long the model may be built before the console is shown; until it is complete, its pages show that it is not."""


class ConsoleError(OperatorError):
    """The console did not listen in time. Operator action: see the workers' log."""


class SignIn(NamedTuple):
    """Where the console is, and its only user."""

    url: str
    name: str
    password: str


@contextmanager
def served(
    settings: Settings, environment: Mapping[str, str], log: Path
) -> Iterator[tuple[SignIn, Callable[[], None]]]:
    """Runs ``stitchline serve`` on a database in the demo's folder. It writes to ``log``, which never has the password.

    Yields how to sign in, and what to call now and then, which starts the process again if it has ended. Leaving it
    stops the process and removes the user.

    Raises:
        ConsoleError: it did not listen in time.
        WorkersKeepDyingError: it keeps exiting by itself.
    """
    port = free_ports(1)[0]
    # Whatever this machine is configured for: the demo writes to no database but its own, and answers no other machine.
    of_console = {
        **environment, **http_port_behind(settings.http_port, workers_here() + 1),  # the collector's are before it
        "STITCHLINE_DATABASE_URL": "", "STITCHLINE_SERVE_PUBLIC_URL": "", "STITCHLINE_OIDC_ISSUER": "",
        "STITCHLINE_SERVE_HOST": LOOPBACK, "STITCHLINE_SERVE_PORT": str(port),
        "STITCHLINE_RULES_DIR": str(settings.home / RULES),
    }  # fmt: skip
    with (
        closing(store_of(settings.model_copy(update={"database_url": SecretStr("")}))) as store,
        _user(store, settings.topic_prefix) as password,
        Supervisor(1, of_console, log, program=READ_SIDE) as supervisor,
    ):
        _wait(port, store, supervisor.check)
        yield SignIn(f"http://{LOOPBACK}:{port}/", USER, password), supervisor.check


@contextmanager
def _user(store: Store, prefix: str) -> Iterator[str]:
    """Adds a user with all rights on the generated day. Yields the password; removes the user at the end."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    store.prepare(prefix)
    create_tables(store.engine)
    users = Users(store.engine, wall_clock_ms)
    users.add(USER, password, Role.ADMIN)
    try:
        yield password
    finally:
        users.remove(USER)


def _wait(port: int, store: Store, check: Callable[[], None]) -> None:
    """Returns when the console listens and its model is complete, or after ``BUILD_SECONDS`` if it is not."""
    if not holds_within(LISTEN_SECONDS, lambda: is_listening(port), check):
        message = f"the console did not listen within {LISTEN_SECONDS:.0f} s"
        raise ConsoleError(message)
    holds_within(BUILD_SECONDS, lambda: _is_complete(store), check)


def _is_complete(store: Store) -> bool:
    with store.reading() as connection:
        return facts.progress(connection).caught_up_ms > 0
