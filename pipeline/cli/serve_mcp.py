"""``stitchline serve mcp``: tools for an agent on this machine, over standard input and output.

Exit codes: 0 the agent closed the connection, 1 the database or the rules refused (the message says what to do).
"""

import getpass
import os
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from pipeline.cli.explained import explained
from pipeline.settings import Settings

EXAMPLES = """\b
Exit codes: 0 the agent closed the connection; 1 the database or the rules refused; 2 wrong command line.
\b
Examples:
  stitchline serve mcp
  stitchline serve mcp --tenant shop --pii
"""


def mcp(
    tenant: Annotated[str, typer.Option(help="The tenant that the agent reads.")] = "default",
    *,
    pii: Annotated[bool, typer.Option("--pii", help="Answer with personal data, recorded in the audit log.")] = False,
) -> None:
    """Answer an agent over standard input and output, from the database that `stitchline serve` writes.

    Needs no key: a user that may run the command may read the database. Over HTTP the same tools are at /mcp.
    """
    from pipeline.serve.access.principal import Principal  # noqa: PLC0415  the libraries of agents load slowly
    from pipeline.serve.agents.server import agent_server  # noqa: PLC0415
    from pipeline.serve.model.store import store_of  # noqa: PLC0415
    from pipeline.serve.service import services_of  # noqa: PLC0415

    with explained(OSError, SQLAlchemyError):
        settings = Settings()
        store = store_of(settings)
        try:
            store.prepare(settings.topic_prefix)
            caller = Principal(f"mcp {_user()}", tenant, frozenset({"read", *(["read:pii"] if pii else [])}))
            agent_server(services_of(settings, store), lambda _context: caller, settings.rules_dir).run("stdio")
        finally:
            store.close()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"
