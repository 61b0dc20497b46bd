"""``stitchline kafka start | status | stop``: the local Apache Kafka, and the schema registry on request.

Exit codes: 0 done or running, 1 it could not be started, 6 (status) a requested server is not running.
"""

from typing import Annotated

import typer

from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import explained
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.screen import screen
from pipeline.local import detached
from pipeline.settings import Settings

START_EXAMPLES = """\b
Exit codes: 0 it runs; 1 it could not be started.
\b
Examples:
  stitchline kafka start
  stitchline kafka start --registry --port 9092
"""
STATUS_EXAMPLES = """\b
Exit codes: 0 it runs; 6 a requested server does not run.
\b
Examples:
  stitchline kafka status
  stitchline kafka status --registry --json
"""
STOP_EXAMPLES = """\b
Exit codes: 0 nothing runs any more; 1 a setting is wrong.
\b
Examples:
  stitchline kafka stop
"""

app = typer.Typer(no_args_is_help=True, help="A real Apache Kafka on this machine, no Java and no Docker needed.")

Registry = Annotated[bool, typer.Option("--registry", help="Also the schema registry (Confluent API).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Kafka's port on 127.0.0.1; 0: any free one.")]


@app.command(epilog=START_EXAMPLES)
def start(registry: Registry = False, port: Port = 0, as_json: Json = False) -> None:
    """Start Kafka, unless it runs already. Data of earlier runs are kept."""
    console, servers = screen(stderr=True), []
    with explained():
        for kind in _kinds(registry):
            with console.status(f"starting {kind}"):
                servers.append(detached.start(Settings().home, kind, port if kind == "kafka" else 0))
    _show(servers, as_json)


@app.command(epilog=STATUS_EXAMPLES)
def status(registry: Registry = False, as_json: Json = False) -> None:
    """Print whether Kafka runs, and its address. Exit code 6 if a requested server does not run."""
    with explained():
        servers = {kind: detached.find(Settings().home, kind) for kind in detached.KINDS}
    _show([running for running in servers.values() if running is not None], as_json)
    if any(servers[kind] is None for kind in _kinds(registry)):
        raise typer.Exit(ExitCode.NOT_READY)


@app.command(epilog=STOP_EXAMPLES)
def stop() -> None:
    """Stop Kafka and the registry. The data stay in the home folder."""
    with explained():
        home = Settings().home
    for kind in reversed(detached.KINDS):
        if detached.stop(home, kind):
            print_line(f"{kind}: stopped")


def _kinds(registry: bool) -> tuple[str, ...]:
    return ("kafka", "registry") if registry else ("kafka",)


def _show(servers: list[detached.Running], as_json: bool) -> None:
    if as_json:
        print_json({running.kind: running for running in servers})
        return
    if not servers:
        print_line("nothing is running; start it with: stitchline kafka start")
    for running in servers:
        print_line(f"{running.description}, pid {running.pid}, data in {running.data}")
        name, value = ("SCHEMA_REGISTRY_URL", running.url) if running.url else ("BOOTSTRAP_SERVERS", running.address)
        print_line(f"  export STITCHLINE_{name}={value}")
