"""The file sink: writes exactly one line per action, even across kill -9 and power cuts.

The file itself holds the position: each line contains the partition and offset of its action. A separate position could
disagree with the file; this one cannot. A torn last line is cut off and its action is delivered again. The erasure of
a lead empties its lines; the file is then a new one under the same name.
"""

import fcntl
import os
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any

import msgspec

from connectors.crm.ledger_row import ERASED
from connectors.crm.sink import ERASE, Action, Delivered, Finding, SinkError
from pipeline.atomic_file import sync_folder

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _Place(msgspec.Struct):
    """The part of a line that holds the place of its action in the topic."""

    partition: int
    offset: int


_place = msgspec.json.Decoder(_Place).decode


class JsonlSink:
    """Appends ``{"partition":…,"offset":…,"action":{…}}`` lines; one process at a time per file.

    Raises:
        SinkError: Another process writes the file, or the file holds lines of another format.
        OSError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            message = f"{path}: another sink writes this file; stop it, or give another file"
            raise SinkError(message) from error
        try:
            self._next = self._recover()
        except SinkError:
            self._file.close()
            raise
        sync_folder(path.absolute().parent)

    def positions(self) -> dict[int, int]:
        """Returns partition → the offset after its last line."""
        return dict(self._next)

    def check(self) -> list[Finding]:
        """Returns no findings: opening the file has checked everything."""
        return []

    def setup(self, *, dry_run: bool) -> list[Finding]:  # noqa: ARG002  opening the file has created it
        """Returns no findings."""
        return []

    def deliver(self, actions: Sequence[Action]) -> list[Delivered]:
        """Writes one line for each new action, with one fsync for all. Never refuses an action."""
        fresh = list(self._fresh(actions))
        if fresh:
            erased = {action.action_id for action in fresh if action.body.get("kind") == ERASE}
            if erased:
                self._rewrite(fresh, erased)
            else:
                self._append(fresh)
            self._next.update((action.partition, action.offset + 1) for action in fresh)
        return [Delivered()] * len(actions)

    def close(self) -> None:
        """Releases the file and its lock."""
        self._file.close()

    def _append(self, actions: Sequence[Action]) -> None:
        self._file.write(b"".join(map(line_of, actions)))
        self._file.flush()
        os.fsync(self._file.fileno())

    def _rewrite(self, actions: Sequence[Action], erased: Collection[str]) -> None:
        """Appends lines, and empties those of erased leads, in one step: by a new file under the same name.

        The new file is locked before it takes the name, so that no other sink can open it.
        """
        name = self._path.with_name(self._path.name + ".erasing")
        renewed = name.open("w+b")
        fcntl.flock(renewed, fcntl.LOCK_EX)
        self._file.seek(0)
        for line in chain(self._file, map(line_of, actions)):
            renewed.write(_emptied(line, erased))
        renewed.flush()
        os.fsync(renewed.fileno())
        name.replace(self._path)
        sync_folder(self._path.absolute().parent)
        self._file.close()
        self._file = renewed

    def _fresh(self, actions: Sequence[Action]) -> Iterator[Action]:
        """Yields the actions that have no line yet: those above the last offset of their partition."""
        reached = dict(self._next)
        for action in actions:
            if action.offset >= reached.get(action.partition, 0):
                reached[action.partition] = action.offset + 1
                yield action

    def _recover(self) -> dict[int, int]:
        """Cuts off a torn last line. Returns the positions that the other lines hold."""
        self._file.seek(0)
        positions: dict[int, int] = {}
        whole = 0
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n"):
                break
            try:
                place = _place(line)
            except msgspec.MsgspecError as error:
                message = f"{self._path}:{number}: not a line of this sink ({error}); give another file, or repair it"
                raise SinkError(message) from error
            positions[place.partition] = place.offset + 1
            whole += len(line)
        self._file.truncate(whole)
        os.fsync(self._file.fileno())
        return positions


def _emptied(line: bytes, erased: Collection[str]) -> bytes:
    """Returns the line of an erased lead with nothing but its place and its action id; any other line unchanged."""
    document = _decode(line)
    action = document["action"]
    if action.get("action_id") not in erased or action.get("kind") == ERASE:
        return line
    return _encode({**document, "action": {"action_id": action["action_id"], "kind": ERASED}}) + b"\n"


def line_of(action: Action) -> bytes:
    """Returns the line of one action."""
    line: dict[str, Any] = {"partition": action.partition, "offset": action.offset, "action": action.body}
    return _encode(line) + b"\n"
