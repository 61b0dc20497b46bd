"""``stitchline crm resync NAME``: compare segments, scores and traits with a CRM, and write the differences.

Exit codes: 0 done, or compared, 1 the rules, Kafka or the CRM refused (the message says what to do), 2 no such
connection or segment, 3 done, but some values were quarantined.
"""

import contextlib
from collections.abc import Sequence
from threading import Event
from typing import Annotated

import msgspec
import typer
from confluent_kafka import KafkaException

from connectors.crm.action_log import Commit, Refusal
from connectors.crm.connect import connection_of, gateway_of, open_http, settle_ms
from connectors.crm.fault import StoppedError
from connectors.crm.ledger import Ledger
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.runner import CONFIRM_MS
from connectors.crm.sync.board import Board
from connectors.crm.sync.plan import Planner
from connectors.crm.sync.resync import Progress, Resync, Save, Totals
from connectors.crm.sync.updates import Feed
from connectors.crm.sync.writer import SyncWriter
from pipeline.cli.bar import Bars
from pipeline.cli.connect import connected
from pipeline.cli.crm_delivery import action_log, ledger_topic, profile_feed
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import complain, explained, fail
from pipeline.cli.printed import print_json, print_line
from pipeline.clock import wall_clock_ms
from pipeline.errors import MisuseError
from pipeline.obs.metrics import Metrics
from pipeline.rules.crm import CrmConnection
from pipeline.rules.load import load_rules
from pipeline.settings import Settings

RESYNC_EXAMPLES = """\b
Exit codes: 0 done, or compared; 1 the rules, Kafka or the CRM refused; 2 no such connection or segment; 3 done, some
values were quarantined.
\b
Examples:
  stitchline crm resync hubspot --dry-run
  stitchline crm resync hubspot --read
  stitchline crm resync hubspot --segment big_spenders
"""


def resync(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a connection in crm.yaml.")],
    segment: Annotated[str, typer.Option("--segment", help="Only the fields that state this segment.")] = "",
    read: Annotated[
        bool, typer.Option("--read", help="Compare with what the CRM holds, instead of what the ledger does.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the differences, write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compare the fields of sync with all profiles, and write the differences. Stops a running sink of NAME.

    With --dry-run a running sink goes on.
    """
    with explained(OSError, KafkaException), Bars() as bars:
        settings = Settings()
        connection = _chosen(connection_of(load_rules(settings.rules_dir).crm, name), segment)
        try:
            with _Opened(connected(settings), connection, read=read, partial=bool(segment)) as opened:
                totals = opened.run(dry_run=dry_run, progress=bars.reading("profiles"))
        except StoppedError as stopped:
            fail(f"the CRM is not available now: {stopped.pause.reason}; run it again", ExitCode.FAILED)
    _show(totals, as_json=as_json, dry_run=dry_run)


def _chosen(connection: CrmConnection, segment: str) -> CrmConnection:
    """Returns the connection with the fields that are compared."""
    fields = tuple(field for field in connection.sync.fields if not segment or field.states(segment))
    if not fields:
        what = f"no field of segment {segment!r}" if segment else "no field in sync"
        message = f"connection {connection.name!r} of crm.yaml declares {what}"
        raise MisuseError(message)
    return msgspec.structs.replace(connection, sync=msgspec.structs.replace(connection.sync, fields=fields))


class _Opened(contextlib.ExitStack):
    """The clients of one run."""

    def __init__(self, settings: Settings, connection: CrmConnection, *, read: bool, partial: bool) -> None:
        super().__init__()
        self._settings, self._connection, self._pause, self._partial = settings, connection, Event(), partial
        self._http = open_http(connection, clock=wall_clock_ms, sleep=self._pause.wait, metrics=Metrics())
        self.callback(self._http.close)
        self._ledger, self._board = Ledger(), Board(connection)
        self.callback(self._ledger.close)
        self.callback(self._board.close)
        self._feed = profile_feed(settings)
        self.callback(self._feed.updates.close)
        gateway = gateway_of(connection, self._http, wall_clock_ms)
        self._writer = SyncWriter(connection, gateway, self._ledger, wall_clock_ms, again=True, compare=read)

    def run(self, *, dry_run: bool, progress: Progress) -> Totals:
        """Reads ledger and profiles, then compares."""
        save = _save_nothing if dry_run else self._take_over()
        if dry_run:
            rows = ledger_topic(self._settings).rows(self._settings.kafka(), self._connection.name)
            self._ledger.apply(rows)
        _read_all(self._feed, self._board)
        planner = Planner(self._board, self._ledger)
        run = Resync(self._feed, self._board, planner, self._writer, wall_clock_ms, partial=self._partial)
        return run.run(save, dry_run=dry_run, progress=progress)

    def _take_over(self) -> Save:
        """Shuts out a running sink. Returns what commits rows and refusals."""
        log = action_log(self._settings, self._connection)
        self.callback(log.close)
        self._ledger.apply(log.ledger_rows())
        positions = {partition: place for partition, place in log.positions().items() if place.offset >= 0}
        committed_ms = wall_clock_ms()

        def save(rows: Sequence[LedgerRow], refusals: Sequence[Refusal]) -> None:
            nonlocal committed_ms
            proven_ms = wall_clock_ms()  # before the commit: a process that is paused after it proves nothing
            log.commit(Commit(rows, refusals, positions))
            committed_ms = proven_ms
            self._ledger.apply(rows)

        def confirm() -> None:  # a process that was stopped for a while must not send
            if wall_clock_ms() - committed_ms > CONFIRM_MS:
                save((), ())

        self._http.before_each = confirm
        self._pause.wait(settle_ms(self._connection) / 1000)  # requests of the sink that was shut out
        return save


def _save_nothing(_rows: Sequence[LedgerRow], _refusals: Sequence[Refusal]) -> None:
    """Keeps a dry run from saving."""


def _read_all(feed: Feed, board: Board) -> None:
    """Reads the profiles. Records that cannot be read are left to the sink, which logs them."""
    while not feed.updates.has_caught_up():
        board.apply(feed.read(lambda _profile_id, _problem: None))


def _show(totals: Totals, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(totals), indent=2)
    else:
        print_line(f"{totals.profiles} profiles, {totals.records} records compared: {totals.differing} differ")
        for name, count in sorted(totals.fields.items()):
            print_line(f"  {name}: {count}")
        if not dry_run:
            print_line(f"{totals.written} written, {totals.refused} refused, {totals.left} left, {totals.gone} gone")
    if totals.refused:
        complain(f"the values of {totals.refused} records were quarantined; see: stitchline dlq ls --actions")
        raise typer.Exit(ExitCode.SOME_REJECTED)
