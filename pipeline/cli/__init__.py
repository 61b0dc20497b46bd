"""The command line: one file per command, put together here."""

import stamina
import typer

from pipeline.cli import (
    attribution,
    background,
    config,
    demo,
    dlq,
    doctor,
    identity,
    ingest,
    kafka,
    leads,
    model,
    profile,
    routing,
    rules,
    score,
    segment,
    simulate,
    sink,
    top,
    topics,
    trigger,
    worker,
)
from pipeline.obs.log import silence

app = typer.Typer(
    name="stitchline",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Real-time customer data pipeline: whose is each event, how warm is this customer, tell the CRM.",
)
app.add_typer(attribution.app, name="attribution")
app.add_typer(config.app, name="config")
app.add_typer(dlq.app, name="dlq")
app.add_typer(identity.app, name="identity")
app.add_typer(kafka.app, name="kafka")
app.add_typer(leads.app, name="leads")
app.add_typer(model.app, name="model")
app.add_typer(profile.app, name="profile")
app.add_typer(routing.app, name="routing")
app.add_typer(rules.app, name="rules")
app.add_typer(score.app, name="score")
app.add_typer(segment.app, name="segment")
app.add_typer(sink.app, name="sink")
app.add_typer(topics.app, name="topics")
app.add_typer(trigger.app, name="trigger")
app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("down", epilog=background.DOWN_EXAMPLES)(background.down)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
app.command("ingest", epilog=ingest.EXAMPLES)(ingest.ingest)
app.command("simulate", epilog=simulate.EXAMPLES)(simulate.simulate)
app.command("top", epilog=top.EXAMPLES)(top.top)
app.command("worker", epilog=worker.WORKER_EXAMPLES)(worker.worker)
app.command("up", epilog=worker.UP_EXAMPLES)(worker.up)


def main() -> None:
    """The console script's entry."""
    silence()
    stamina.instrumentation.set_on_retry_hooks([])  # a command that retries shows its outcome, not each attempt
    app(prog_name="stitchline")
