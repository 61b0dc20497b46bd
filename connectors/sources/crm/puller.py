"""Reads a CRM's changes and turns them into events. Commits events, what was seen and the cursor in one transaction.

One step of the loop reads every stream page by page until it has no more:

1. Read a page after the stream's cursor.
2. Take over what the sink has written by now, so that its own writes are recognised, and remove erased people.
3. Translate the changes to events.
4. Commit events, what was seen and the new cursor; then remember them.
"""

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from connectors.crm.fault import StoppedError
from connectors.crm.pausing import Pausing
from connectors.sources.crm.change import Page
from connectors.sources.crm.document import Document, Documents
from connectors.sources.crm.erasures import CURSOR, Erasures
from connectors.sources.crm.memory import Memory
from connectors.sources.crm.pull_log import PullCommit, PullLog
from connectors.sources.crm.reader import CrmReader
from connectors.sources.crm.seen import Seen
from connectors.sources.crm.translate import Translated, translate
from connectors.sources.outgoing import Outgoing
from connectors.sources.record import Payload
from pipeline.clock import Clock
from pipeline.event.duration import DAY_MS
from pipeline.event.result import Rejected
from pipeline.obs import metrics as names
from pipeline.obs.log import logger
from pipeline.obs.metrics import Metrics
from pipeline.rules.crm import CrmConnection

MAX_WAIT_SECONDS: Final = 0.5
_log = logger("connectors.sources.crm")


class StopSignal(Protocol):
    """The part of ``threading.Event`` that the puller uses."""

    def is_set(self) -> bool:
        """Returns whether to stop."""
        ...

    def wait(self, timeout: float) -> bool:
        """Waits at most ``timeout`` seconds for the signal."""
        ...


class Counts(msgspec.Struct):
    """What a puller has done so far."""

    changes: int = 0
    """Objects that the CRM returned, again or for the first time."""
    events: int = 0
    echoes: int = 0
    """Fields left out because the sink itself has written them."""
    rejected: int = 0
    """Events that were quarantined."""
    gaps: int = 0
    """Cursors that had expired."""


class Puller:
    """One puller of one connection. A second one shuts the first out."""

    def __init__(
        self,
        connection: CrmConnection,
        log: PullLog,
        reader: CrmReader,
        memory: Memory,
        *,
        make: Documents,
        encode: Callable[[Payload], Outgoing | Rejected],
        clock: Clock,
        metrics: Metrics | None = None,
    ) -> None:
        self._name, self._back = connection.name, connection.back
        self._always = {written.to for written in connection.fields if written.write == "always"}
        self._always |= {written.to for written in connection.sync.fields}
        self._kafka, self._reader, self._memory = log, reader, memory
        self._make, self._encode, self._clock, self._metrics = make, encode, clock, metrics or Metrics()
        self._pausing = Pausing()
        self._erasures = Erasures(self._back.tenant, make.identifier_of)
        self._gaps: dict[str, str] = {}
        self._started = False
        self.counts = Counts()

    def run(self, stop: StopSignal, *, drain: bool = False) -> None:
        """Pulls until ``stop`` is set. With ``drain``, returns when there is no more to read now.

        Raises:
            SinkError: A right is missing, or another puller took over.
            KafkaException: Kafka returned an error that is not retriable.
        """
        self.start()
        while not stop.is_set():
            done = self.step(stop)
            if drain and done:
                return
            until_ms = self._clock() + round(self._back.every_seconds * 1000) if done else self._pausing.until_ms
            while self._clock() < until_ms and not stop.wait(MAX_WAIT_SECONDS):
                pass

    def start(self) -> None:
        """Reads the committed cursors, what was seen, and what the sink has written."""
        for stream in self._reader.streams():  # an alert takes the increase, which needs a first sample of 0
            self._metrics.add(names.CRM_GAPS, 0, self._name, stream)
        self._memory.apply(self._kafka.rows())
        self._take_over()
        self._started = True

    def step(self, stop: StopSignal) -> bool:
        """Reads every stream to its end. Returns whether the CRM answered everything."""
        try:
            for stream in self._reader.streams():
                while not stop.is_set() and self._pull(stream):
                    self._pausing.resume()
        except StoppedError as stopped:
            self._pausing.pause(self._clock(), stopped.pause, progressed=False)
            _log.warning("crm_pull_paused", connection=self._name, reason=stopped.pause.reason)
            return False
        self._pausing.resume()
        return True

    def not_ready(self) -> list[str]:
        """Returns the reasons why events may be missing now."""
        if not self._started:
            return [f"pull {self._name} reads what it has seen"]
        gaps = [f"pull {self._name} reads {stream} again: {gap}" for stream, gap in sorted(self._gaps.items())]
        return gaps + [f"pull {self._name} {reason}" for reason in self._pausing.reasons(self._clock())]

    def _pull(self, stream: str) -> bool:
        """Reads and commits one page. Returns whether there is more."""
        cursor = self._memory.cursor(stream)
        page = self._reader.changes(stream, cursor)  # 1.
        self._take_over()  # 2.
        self._note_gap(stream, page)
        commit = self._translated(page)  # 3.
        if page.cursor != cursor:
            commit.rows.append(self._memory.cursor_row(stream, page.cursor))
        if commit.rows or commit.events or commit.rejected:  # 4.
            self._kafka.commit(commit)
            self._memory.apply(commit.rows)
        if not page.more:
            self._gaps.pop(stream, None)
        self._metrics.set(names.CRM_SEEN, len(self._memory), self._name)
        return page.more

    def _take_over(self) -> None:
        """Reads what the sink has written, and the erasures. Removes erased people from what was seen."""
        gone = self._memory.note_written(self._kafka.written())
        self._erasures.note(self._kafka.markings())
        removed = int(self._memory.cursor(CURSOR) or -1)
        if not gone and self._erasures.newest <= removed:
            return
        rows = self._memory.changed(lambda seen: self._erasures.cleaned(seen, gone))
        if self._erasures.newest > removed:
            rows.append(self._memory.cursor_row(CURSOR, str(self._erasures.newest)))
        if rows:
            self._kafka.commit(PullCommit(rows=rows))
            self._memory.apply(rows)

    def _note_gap(self, stream: str, page: Page) -> None:
        if page.gap:
            self.counts.gaps += 1
            self._gaps[stream] = page.gap
            self._metrics.add(names.CRM_GAPS, 1, self._name, stream)
            _log.error("crm_cursor_expired", connection=self._name, stream=stream, reason=page.gap)

    def _translated(self, page: Page) -> PullCommit:
        commit, since_ms = PullCommit(), self._clock() - round(self._back.since_days * DAY_MS)
        fresh: dict[tuple[str, str], Seen] = {}
        for read in page.changes:
            place = (read.kind.value, read.id)
            before = fresh.get(place) or self._memory.seen(read.kind, read.id)
            written = self._memory.written(read.id, self._reader.owner_field)
            change = self._erasures.without(read, before, written)
            if change is None:
                continue
            translated = translate(change, before, written, self._make, always=self._always, since_ms=since_ms)
            if translated.seen is not None:
                fresh[place] = translated.seen
            self._add(commit, translated)
        commit.rows = [self._memory.seen_row(seen) for seen in fresh.values()]
        self.counts.changes += len(page.changes)
        self._metrics.add(names.CRM_CHANGES, len(page.changes), self._name)
        return commit

    def _add(self, commit: PullCommit, translated: Translated) -> None:
        for document in translated.documents:
            self._encoded(commit, document)
        commit.commands += translated.commands
        self.counts.echoes += translated.echoes
        if translated.echoes:
            self._metrics.add(names.CRM_PULLED, translated.echoes, self._name, "echo")

    def _encoded(self, commit: PullCommit, document: Document) -> None:
        made = self._encode(document)
        if isinstance(made, Outgoing):
            commit.events.append(made)
            self.counts.events += 1
            self._metrics.add(names.CRM_PULLED, 1, self._name, "event")
        else:
            commit.rejected.append((document, made))
            self.counts.rejected += 1
            self._metrics.add(names.CRM_PULLED, 1, self._name, "rejected")
