"""The command line: one file per command, imported when the command is run."""

import logging
import os
from typing import Annotated, Final

import typer

from pipeline.cli.lazy import Deferred, LazyGroup
from pipeline.cli.printed import print_line

PRIVATE: Final = 0o077
"""The umask of commands: state, exports, sink files and logs hold customers' data and are their owner's alone."""
SHARED_FILES: Final = frozenset({"model", "rules"})
"""Commands that write files without customers' data, for other users to deploy."""


class Commands(LazyGroup):
    """Every command with the first lines of its own help."""

    deferred = (
        Deferred("demo", "Play a shop's day in five channels: watch customers being recognised and leads being made."),
        Deferred(
            "ingest", "Deliver files of events to Kafka, each record exactly once, also when killed and run again."
        ),
        Deferred(
            "simulate", "Run events through all stages exactly as the workers would, and write what would come out."
        ),
        Deferred("top", "Show rates and lag of every stage, customers, merges, leads and the DLQ, until ctrl-c."),
        Deferred(
            "worker",
            "Run one worker until SIGTERM or ctrl-c. Start as many as there are cores; they share the partitions.",
        ),
        Deferred(
            "up",
            "Run workers under a supervisor, on the configured Kafka or else a local one, until SIGTERM or ctrl-c.",
            "pipeline.cli.worker",
        ),
        Deferred(
            "down",
            "Stop what `stitchline up` runs for this home: "
            "workers commit and leave, then the local Kafka that it started.",
            "pipeline.cli.background",
        ),
        Deferred("doctor", "Check Kafka, topics, transactions, rules, state folder, disk, clock and registry."),
        Deferred("attribution", "What marketing has led to."),
        Deferred("config", "The settings of this process. Rules are shown by `stitchline rules show`."),
        Deferred("crm", "Deliver CRM actions to HubSpot, prepare it, and compare it with the ledger."),
        Deferred("dlq", "Events that could not be taken: quarantined byte by byte, with the reason."),
        Deferred("identity", "Explain identities and record decisions about them. Prints personal data: its purpose."),
        Deferred("kafka", "A real Apache Kafka on this machine, no Java and no Docker needed."),
        Deferred("leads", "Look at leads on their way to the CRM."),
        Deferred("model", "Fit and look at models of what customers will do."),
        Deferred("profile", "What is known of customers. Prints personal data: that is its purpose."),
        Deferred("routing", "Try out which representative leads go to."),
        Deferred(
            "rules",
            "Check, show and start rules files: "
            "identifiers, aggregates, journeys, scores, segments, triggers, routing…",
        ),
        Deferred("score", "What scores are made of."),
        Deferred("segment", "Members of segments. Prints personal data: that is its purpose."),
        Deferred("sink", "Carry CRM actions to where leads are worked on."),
        Deferred("topics", "The Kafka topics of this deployment."),
        Deferred("trigger", "Try triggers on the stored profiles. Prints personal data: that is its purpose."),
    )


app = typer.Typer(name="stitchline", cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


def _print_version(requested: bool) -> None:
    if requested:
        from pipeline.version import version  # noqa: PLC0415 - importlib.metadata is slow to import

        print_line(f"stitchline {version()}")
        raise typer.Exit


@app.callback()
def _stitchline(
    context: typer.Context,
    *,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Stitches events to customers, scores leads, notifies the CRM."""
    if context.invoked_subcommand not in SHARED_FILES:
        before = os.umask(PRIVATE)
        context.call_on_close(lambda: os.umask(before))


def main() -> None:
    """The console script's entry."""
    logging.getLogger().addHandler(logging.NullHandler())  # else warnings of libraries go to standard error
    app(prog_name="stitchline")
