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
        Deferred(
            "demo",
            "Run a seeded shop day on a real Kafka, and show customers and leads as they appear.",
        ),
        Deferred(
            "ingest", "Deliver files of events to Kafka, each record exactly once, also if it is killed and run again."
        ),
        Deferred("simulate", "Run files of events through all stages, exactly as workers do, and write the results."),
        Deferred("top", "Show rates and lag of every stage, customers, merges, leads and the DLQ, until ctrl-c."),
        Deferred(
            "worker",
            "Run one worker until SIGTERM or ctrl-c. Start as many as there are cores; they share the partitions.",
        ),
        Deferred(
            "collect",
            "Take events over HTTP from SDKs and webhooks until SIGTERM or ctrl-c; acknowledge only what is safe.",
        ),
        Deferred(
            "up",
            "Run workers under a supervisor, on the configured Kafka or else a local one, until SIGTERM or ctrl-c.",
            "pipeline.cli.worker",
        ),
        Deferred(
            "down",
            "Stop the workers of `stitchline up` for this home, after a commit, then the local Kafka that it started.",
            "pipeline.cli.background",
        ),
        Deferred("doctor", "Check Kafka, topics, transactions, rules, state folder, disk, clock and registry."),
        Deferred("account", "Show accounts, with traits from the group calls of all members."),
        Deferred("attribution", "Credit and cost of marketing."),
        Deferred("chaos", "Break workers, brokers, disk and network on purpose, and compare the result with simulate."),
        Deferred("config", "The settings of this process. Rules are shown by `stitchline rules show`."),
        Deferred("crm", "Deliver CRM actions to a CRM, read its changes back, and compare it with the ledger."),
        Deferred("dlq", "List, show and replay quarantined records, kept byte by byte with the reason."),
        Deferred("identity", "Explain identities and record decisions about them. Prints personal data."),
        Deferred("kafka", "A real Apache Kafka on this machine, no Java and no Docker needed."),
        Deferred("leads", "Show leads on their way to the CRM."),
        Deferred("model", "Fit and show models that predict purchases and churn."),
        Deferred("plan", "Show what breaks the sources' tracking plans, and write a plan."),
        Deferred("privacy", "Write out, erase or refuse what is about a person. Prints personal data."),
        Deferred("profile", "Show and export customer profiles. Prints personal data."),
        Deferred("routing", "Try the routing of leads to representatives."),
        Deferred(
            "rules",
            "Check, show and create rules files: "
            "identifiers, aggregates, journeys, scores, segments, triggers, routing…",
        ),
        Deferred("score", "Explain scores."),
        Deferred("segment", "Count and export members of segments. Prints personal data."),
        Deferred(
            "serve",
            "Follow the topics into a database and answer from it over HTTP, until SIGTERM or ctrl-c.",
        ),
        Deferred("sink", "Deliver CRM actions."),
        Deferred("sources", "List, add, rotate and try the collector's sources and their write keys."),
        Deferred(
            "tail",
            "Print each event when its fate is known: taken, duplicate (counted before), or quarantined and why.",
        ),
        Deferred("topics", "The Kafka topics of this deployment."),
        Deferred("trigger", "Try triggers on the stored profiles. Prints personal data."),
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
