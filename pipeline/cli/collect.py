"""``stitchline collect``: takes events over HTTP from SDKs and webhooks.

Exit codes: 0 stopped, 1 it could not start (the message states what to do).
"""

from typing import Annotated

import typer
import uvloop
from confluent_kafka import KafkaException

from connectors.collect.service import run
from pipeline.cli.connect import located
from pipeline.cli.explained import explained
from pipeline.cli.parent import end_with_parent
from pipeline.cli.printed import print_line
from pipeline.obs.log import configure
from pipeline.settings import Settings

EXAMPLES = """\b
Exit codes: 0 stopped; 1 it could not start.
\b
Examples:
  stitchline collect
  stitchline collect --port 8088 --http-port 9102
  STITCHLINE_COLLECT_HOST=0.0.0.0 STITCHLINE_RULES_DIR=rules stitchline collect
"""

app = typer.Typer()


@app.command("collect", epilog=EXAMPLES)
def collect(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Default: STITCHLINE_COLLECT_PORT; 0: a free one.")
    ] = None,
    http_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of /metrics, /livez, /readyz. Default: the setting.")
    ] = None,
    supervised: Annotated[bool, typer.Option(hidden=True, help="End when standard input ends.")] = False,
) -> None:
    """Take events over HTTP from SDKs and webhooks until SIGTERM or ctrl-c; acknowledge only what is safe.

    The senders are declared in sources.yaml of the rules directory: see `stitchline sources`. While Kafka is away,
    events are kept on disk in the home folder and sent when it is back.
    """
    chosen = {name: value for name, value in (("collect_port", port), ("http_port", http_port)) if value is not None}
    with explained(OSError, KafkaException):
        settings = located(Settings(**chosen))
        configure(settings.log_level)
        if supervised:
            end_with_parent()
        uvloop.run(run(settings, lambda url: print_line(f"collector: {url} · stop with ctrl-c", err=True)))
