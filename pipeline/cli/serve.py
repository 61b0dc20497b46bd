"""``stitchline serve``, ``serve keys`` and ``serve users``: the read model, its API and the console.

Exit codes: 0 stopped or done, 1 it could not start or could not go on (the message states what to do), 2 wrong use.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Annotated, Any, Literal

import typer
from confluent_kafka import KafkaException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.cli.connect import located
from pipeline.cli.explained import explained
from pipeline.cli.parent import end_with_parent
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.screen import screen
from pipeline.cli.serve_mcp import EXAMPLES as MCP_EXAMPLES
from pipeline.cli.serve_mcp import mcp
from pipeline.cli.serve_users import users
from pipeline.cli.tables import titled_table
from pipeline.event.instant import format_instant
from pipeline.obs.log import configure
from pipeline.serve.access.keys import DEFAULT_REQUESTS_PER_MINUTE, SCOPES, ApiKey, ApiKeys
from pipeline.serve.follower import follow
from pipeline.serve.follower import rebuild as delete_model
from pipeline.serve.model.store import store_of
from pipeline.settings import Settings

EXAMPLES = """\b
Exit codes: 0 stopped; 1 it could not start or could not go on; 2 wrong command line.
\b
Examples:
  stitchline serve keys add crm --scope read --scope read:pii && stitchline serve
  stitchline serve users add ann@shop.example --role admin
  stitchline serve --port 8090 --http-port 9103
  stitchline serve --role api --port 8091
  stitchline serve --rebuild
  STITCHLINE_DATABASE_URL=postgresql://stitchline:…@db/stitchline stitchline serve
"""
KEYS_EXAMPLES = """\b
Exit codes: 0 done; 1 the database refused; 2 wrong command line, or no such key.
\b
Examples:
  stitchline serve keys add crm --tenant default --scope read --scope read:pii
  stitchline serve keys ls --json
  stitchline serve keys revoke crm
"""

app = typer.Typer(invoke_without_command=True)
keys = typer.Typer(no_args_is_help=True, help="Keys of the API: only hashes of their secrets are stored.")
app.add_typer(keys, name="keys")
app.add_typer(users, name="users")
app.command("mcp", epilog=MCP_EXAMPLES)(mcp)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.callback(epilog=EXAMPLES)
def serve(
    context: typer.Context,
    *,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Default: STITCHLINE_SERVE_PORT; 0: a free one.")
    ] = None,
    http_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of /metrics, /livez, /readyz. Default: the setting.")
    ] = None,
    role: Annotated[
        Literal["all", "api", "writer"],
        typer.Option(help="all: API and writer; api: answers from a database that another process writes."),
    ] = "all",
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Delete the model, keep the keys, and read the topics from the beginning.")
    ] = False,
    supervised: Annotated[bool, typer.Option(hidden=True, help="End when standard input ends.")] = False,
) -> None:
    """Follow the topics into a database and answer from it over HTTP, until SIGTERM or ctrl-c.

    One process writes to a database; others wait to take over. Start as many with --role api as there are cores.
    """
    if context.invoked_subcommand is not None:
        return
    if rebuild and role == "api":
        message = "--role api does not write: rebuild with --role all or --role writer"
        raise typer.BadParameter(message, param_hint="--rebuild")
    chosen = {name: value for name, value in (("serve_port", port), ("http_port", http_port)) if value is not None}
    with explained(OSError, KafkaException, SQLAlchemyError):
        settings = Settings(**chosen) if role == "api" else located(Settings(**chosen))
        configure(settings.log_level)
        if supervised and role != "writer":
            end_with_parent()
        if role == "writer":
            _write(settings, rebuild=rebuild, supervised=supervised)
            return
        import uvloop  # noqa: PLC0415  neither the writer nor keys wait for the libraries of the API

        from pipeline.serve.service import run  # noqa: PLC0415

        uvloop.run(run(settings, _listening, writes=role == "all", rebuild=rebuild))


def _listening(url: str) -> None:
    print_line(f"console: {url}/ · API: {url}/v1 · stop with ctrl-c", err=True)


def _write(settings: Settings, *, rebuild: bool, supervised: bool) -> None:
    """Runs the writer until a signal, or until standard input ends if supervised."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _signal, _frame: stop.set())
    if supervised:
        Thread(target=_stop_with_parent, args=(stop,), name="parent-watch", daemon=True).start()
    store = store_of(settings)
    try:
        store.prepare(settings.topic_prefix, rebuild=rebuild)
        if rebuild:
            delete_model(store, settings.topic_prefix)
        follow(settings, store, stop.is_set)
    finally:
        store.close()


def _stop_with_parent(stop: Event) -> None:
    while os.read(0, 1):  # not sys.stdin: a thread that holds its lock at the interpreter's end makes Python abort
        pass
    stop.set()


@contextmanager
def _key_store() -> Iterator[ApiKeys]:
    with explained(OSError, SQLAlchemyError):
        settings = Settings()
        store = store_of(settings)
        try:
            store.prepare(settings.topic_prefix)
            yield ApiKeys(store)
        finally:
            store.close()


def _view(key: ApiKey) -> dict[str, Any]:
    moments = {
        name: format_instant(moment) for name, moment in (("created", key.created_ms), ("revoked", key.revoked_ms))
    }
    limits = {"scopes": list(key.scopes), "requests_per_minute": key.requests_per_minute}
    revoked = moments["revoked"] if key.revoked_ms else None
    return {"id": key.key_id, "name": key.name, "tenant": key.tenant, **limits, **moments, "revoked": revoked}


@keys.command("add", epilog=KEYS_EXAMPLES)
def add(
    name: Annotated[str, typer.Argument(help="Name of the key's user, unique among the valid keys.")],
    tenant: Annotated[str, typer.Option(help="The tenant that the key reads.")] = "default",
    scope: Annotated[list[str] | None, typer.Option(help=f"{', '.join(SCOPES)}; repeat it. Default: read.")] = None,
    requests_per_minute: Annotated[
        int, typer.Option("--requests-per-minute", min=0, help="Limit of one API process; 0: none.")
    ] = DEFAULT_REQUESTS_PER_MINUTE,
    as_json: Json = False,
) -> None:
    """Make a key and print its secret once. Without the scope read:pii, personal data is masked."""
    with _key_store() as known:
        key, secret = known.add(name, tenant=tenant, scopes=scope or ["read"], requests_per_minute=requests_per_minute)
    if as_json:
        print_json({**_view(key), "secret": secret})
        return
    print_line(f"key {key.name} ({key.key_id}) of tenant {key.tenant}: {', '.join(key.scopes)}", err=True)
    print_line(secret)


@keys.command("ls", epilog=KEYS_EXAMPLES)
def ls(as_json: Json = False) -> None:
    """List all keys, also revoked ones."""
    with _key_store() as known:
        found = known.all()
    if as_json:
        print_json({"keys": [_view(key) for key in found]}, indent=2)
        return
    table = titled_table("API keys", "id", "name", "tenant", "scopes", "a minute", "made", "revoked")
    for key in found:
        limit = str(key.requests_per_minute or "-")
        times = [format_instant(moment) or "" if moment else "-" for moment in (key.created_ms, key.revoked_ms)]
        table.add_row(key.key_id, key.name, key.tenant, " ".join(key.scopes), limit, *times)
    screen().print(table)


@keys.command("revoke", epilog=KEYS_EXAMPLES)
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME|ID", help="Name or id of a valid key.")], as_json: Json = False
) -> None:
    """Revoke a key. Running processes refuse it within two seconds."""
    with _key_store() as known:
        key = known.revoke(name)
    if as_json:
        print_json(_view(key))
    else:
        print_line(f"key {key.name} ({key.key_id}) is revoked")
