"""Wires the console of one process from the services that it shares with the API."""

from pathlib import Path
from typing import NamedTuple

from starlette.applications import Starlette

from pipeline.clock import Clock, wall_clock_ms
from pipeline.privacy.requests import PersonRequests
from pipeline.serve.console.app import console_app
from pipeline.serve.console.context import ConsoleParts
from pipeline.serve.console.data import ConsoleData, console_data
from pipeline.serve.console.data.rights import RightsData
from pipeline.serve.console.render import Renderer
from pipeline.serve.read.reads import Reads
from pipeline.serve.receipts import Receipts
from pipeline.serve.signin.attempts import Attempts
from pipeline.serve.signin.oidc.flow import OidcSignIn
from pipeline.serve.signin.sessions import Sessions
from pipeline.serve.signin.tables import create_tables
from pipeline.serve.signin.users import Users
from pipeline.settings import Settings


class ServedConsole(NamedTuple):
    """A console with its data. ``close`` it when done."""

    app: Starlette
    """To be mounted at ``/`` behind all other routes."""
    data: ConsoleData

    def close(self) -> None:
        """Makes the threads that follow Kafka for its pages end."""
        self.data.close()


def console_of(
    reads: Reads,
    persons: PersonRequests,
    receipts: Receipts,
    settings: Settings,
    audit: Path,
    *,
    oidc: OidcSignIn | None = None,
    clock: Clock = wall_clock_ms,
) -> ServedConsole:
    """Returns the console. Creates the tables of sign-in.

    ``audit`` is the folder of the audit log; ``oidc`` signs people in beside local users.
    """
    engine = reads.context.store.engine
    create_tables(engine)
    data = console_data(reads, RightsData(persons, receipts), settings, audit, clock)
    app = console_app(
        ConsoleParts(
            users=Users(engine, clock),
            sessions=Sessions(engine, clock),
            attempts=Attempts(engine, clock),
            data=data,
            renderer=Renderer(clock),
            clock=clock,
            oidc=oidc,
            public_url=settings.serve_public_url,
        )
    )
    return ServedConsole(app, data)
