"""A bounded queue of records on disk. A record is in it once :meth:`Spool.append` returns: written and fsynced.

Appends of one moment share one fsync (group commit). Records are read in the order in which they were appended. After a
crash the segments that are left are read again from their start: a record may be read twice, and never not at all.
"""

import asyncio
import fcntl
import os
from pathlib import Path
from typing import IO, Final

from connectors.collect.encode import Outgoing
from connectors.collect.safekeeping.frames import frame, read_frames
from connectors.collect.safekeeping.segments import (
    REFUSED,
    cut_broken_end,
    path_of,
    segment_paths,
)
from pipeline.atomic_file import sync_folder
from pipeline.errors import OperatorError
from pipeline.obs.log import logger

SEGMENT_BYTES: Final = 8 << 20
WINDOW_BYTES: Final = 1 << 20
"""What is read of a segment at a time."""

log = logger(__name__)


class SpoolFullError(Exception):
    """The spool holds as many bytes as it may, or the disk does not take more. Nothing of the append is kept."""


class SpoolInUseError(OperatorError):
    """Another collector uses the same folder.

    Operator action: give each collector a STITCHLINE_HOME of its own.
    """


class Spool:
    """The spool in a folder. Use from one event loop."""

    def __init__(self, folder: Path, max_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Opens or creates the spool, and repairs the end of a segment that a crash has cut.

        Raises:
            SpoolInUseError: another process has it open.
            OSError: the folder cannot be used.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._max_bytes, self._segment_bytes = folder, max_bytes, segment_bytes
        self._lock = _locked(folder)
        for path in segment_paths(folder):
            if cut := cut_broken_end(path):
                log.warning("spool_end_cut", file=path.name, cut_bytes=cut)
            if not path.stat().st_size:
                path.unlink()
        left = segment_paths(folder)
        self._waiting = [int(path.stem) for path in left]
        """Numbers of the segments with records to read, the oldest first; the last one may be open for writing."""
        self._size = sum(path.stat().st_size for path in left)
        self._next = self._waiting[-1] + 1 if self._waiting else 1
        self._file: IO[bytes] | None = None
        self._written = 0
        """Fsynced bytes of the open segment."""
        self._pending: list[bytes] = []
        self._flushed: asyncio.Future[None] | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._read_at = 0
        """Offset in the oldest segment up to which its records are delivered."""

    @property
    def size_bytes(self) -> int:
        """Returns the bytes on disk and on their way there."""
        return self._size

    @property
    def is_empty(self) -> bool:
        """Returns whether no record is in the spool or on its way into it."""
        return not self._waiting and not self._pending and self._flushing is None

    async def append(self, records: list[Outgoing]) -> None:
        """Appends records, all or none, and returns once they are durable.

        Raises:
            SpoolFullError: there is no room for them.
        """
        data = b"".join([frame(record) for record in records])
        if self._size + len(data) > self._max_bytes:
            message = f"the spool holds {self._size} of {self._max_bytes} bytes"
            raise SpoolFullError(message)
        self._size += len(data)
        self._pending.append(data)
        if self._flushed is None:
            self._flushed = asyncio.get_running_loop().create_future()
        flushed = self._flushed
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await asyncio.shield(flushed)

    def peek(self, limit: int) -> list[tuple[Outgoing, int]]:
        """Returns up to ``limit`` of the oldest durable records, each with its position for :meth:`delivered`.

        All are of one segment.
        """
        while self._waiting:
            number = self._waiting[0]
            result = []
            for record, end in read_frames(self._unread(number)):
                result.append((record, self._read_at + end))
                if len(result) == limit:
                    break
            if result or not self._finish_if_read(number):
                return result
        return []

    def delivered(self, position: int) -> None:
        """Notes that the oldest segment's records before ``position`` are delivered. Deletes a finished segment."""
        self._read_at = position
        number = self._waiting[0]
        if self._read_at >= self._durable_bytes(number):
            self._finish_if_read(number)

    def set_aside(self, record: Outgoing) -> None:
        """Keeps a record that Kafka refuses for good in the file ``refused.frames``, where nothing reads it again."""
        with (self._folder / REFUSED).open("ab") as file:
            file.write(frame(record))
            file.flush()
            os.fsync(file.fileno())

    async def close(self) -> None:
        """Waits for appends under way and closes the files."""
        if self._flushing is not None:
            await self._flushing
        self._close_file()
        self._lock.close()

    async def _flush(self) -> None:
        """Writes what is pending, again and again until nothing is.

        A thread waits for the disk. Only the event loop changes the spool's state, so that a reader sees no moment in
        which one segment is closed and the next one half open.
        """
        while self._pending:
            data, flushed = b"".join(self._pending), self._flushed
            self._pending, self._flushed = [], None
            try:
                await self._write(data)
            except OSError as error:
                self._size -= len(data)
                log.warning("spool_write_failed", error=error.strerror)
                if flushed is not None and not flushed.done():
                    flushed.set_exception(SpoolFullError(f"the disk refuses to write: {error.strerror}"))
                    flushed.exception()  # all waiters may be gone
                continue
            number = self._next - 1
            if not self._waiting or self._waiting[-1] != number:
                self._waiting.append(number)
            if flushed is not None and not flushed.done():
                flushed.set_result(None)
        self._flushing = None

    async def _write(self, data: bytes) -> None:
        """Writes and fsyncs, into a new segment if the open one is full. Leaves nothing behind on an error."""
        if self._file is not None and self._written >= self._segment_bytes:
            self._close_file()
        if self._file is None:
            path = path_of(self._folder, self._next)
            file: IO[bytes] = await asyncio.to_thread(path.open, "xb", buffering=0)
            self._file, self._written, self._next = file, 0, self._next + 1
        await asyncio.to_thread(_write_durably, self._file, self._written, data, self._folder)
        self._written += len(data)

    def _unread(self, number: int) -> bytes:
        """Returns the durable bytes of a segment behind the last delivered record: a window with a whole record."""
        left = self._durable_bytes(number) - self._read_at
        with path_of(self._folder, number).open("rb") as file:
            file.seek(self._read_at)
            window = file.read(min(left, WINDOW_BYTES))
            if next(read_frames(window), None) is None and len(window) < left:
                window += file.read(left - len(window))
        return window

    def _durable_bytes(self, number: int) -> int:
        return self._written if self._is_open(number) else path_of(self._folder, number).stat().st_size

    def _finish_if_read(self, number: int) -> bool:
        """Deletes the oldest segment, of which every record is read, unless more is on its way into it."""
        if self._is_open(number):
            if self._flushing is not None or self._pending:
                return False
            self._close_file()
        self._waiting.pop(0)
        path = path_of(self._folder, number)
        self._size -= path.stat().st_size
        path.unlink()
        self._read_at = 0
        return True

    def _is_open(self, number: int) -> bool:
        return self._file is not None and number == self._next - 1

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _write_durably(file: IO[bytes], written: int, data: bytes, folder: Path) -> None:
    """Writes behind the first ``written`` bytes of a segment and fsyncs; before the first ones also its name."""
    if not written:
        sync_folder(folder)
    try:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(written)
        file.seek(written)
        raise


def _locked(folder: Path) -> IO[bytes]:
    """Returns the open lock file of the folder, which the kernel unlocks when the process ends, however it ends."""
    file = (folder / "lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        message = f"another collector uses {folder}; give each collector a STITCHLINE_HOME of its own"
        raise SpoolInUseError(message) from error
    return file
