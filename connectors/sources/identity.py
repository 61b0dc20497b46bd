"""Identifies a file by its content, and keeps how far it was delivered to which Kafka.

Path and name do not matter. A file that grew is continued. A changed file is delivered as a new file without the
records that were already delivered.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final, Literal

import msgspec

from connectors.sources.record import Position, Record, Source

READ_BYTES: Final = 1 << 20
DIGEST_BYTES: Final = 8
State = Literal["new", "same", "grown", "changed"]


class Progress(msgspec.Struct, frozen=True):
    """The delivered part of a file, and the file's size and digest at that time."""

    number: int = 0
    offset: int = 0
    size: int = 0
    """Stored size of the file in bytes."""
    digest: str = ""
    """Digest of the whole file."""
    path: str = ""
    reading: str = ""
    """Digest of the destination and the options. With another cluster or a corrected mapping, the same file is
    delivered from its start."""

    @property
    def position(self) -> Position:
        """Returns the position after the delivered part."""
        return Position(self.number, self.offset)


class KnownFile:
    """A file compared with the saved progress of all files. Saved progress outlives Kafka's retention of positions."""

    def __init__(self, folder: Path, path: Path, reading: str) -> None:
        self._folder = folder
        self._reading = blake2b(reading.encode(), digest_size=DIGEST_BYTES).hexdigest()
        self._path = str(path.resolve())
        known = {identity: kept for identity, kept in _kept(folder) if kept.reading == self._reading}
        self._size, digests = _digests(path, {kept.size for kept in known.values()})
        self._digest = digests[self._size]
        self.state: State = "new"
        whole = f"{self._reading}\0{self._digest}".encode()
        self.identity = blake2b(whole, digest_size=DIGEST_BYTES).hexdigest()
        """The name of the delivery, 16 hex digits."""
        self.earlier: Counter[bytes] = Counter()
        """Digests of the records that were delivered from an earlier version of a changed file."""
        self._progress = Progress()
        fitting = [(kept.size, identity) for identity, kept in known.items() if digests.get(kept.size) == kept.digest]
        if fitting:
            size, self.identity = max(fitting)
            self._progress = known[self.identity]
            self.state = "same" if size == self._size else "grown"
        elif before := [identity for identity, kept in known.items() if kept.path == self._path]:
            self.state = "changed"
            for identity in before:
                self.earlier |= _records(self._records_of(identity))

    @property
    def position(self) -> Position:
        """Returns the position last saved, or the beginning."""
        return self._progress.position

    def start_over(self) -> None:
        """Deletes the digests of records, for a delivery from the start."""
        self._records_of(self.identity).unlink(missing_ok=True)

    def save(self, position: Position, records: list[bytes]) -> None:
        """Saves the digests of more records and the position after them. A crash leaves the old or the new position."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._records_of(self.identity).open("ab") as file:
            file.write(b"".join(records))
        kept = Progress(position.number, position.offset, self._size, self._digest, self._path, self._reading)
        target = self._folder / f"{self.identity}.json"
        fresh = target.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)

    def _records_of(self, identity: str) -> Path:
        return self._folder / f"{identity}.records"


class Remembered:
    """A source that collects the digests of the records it yields."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.noted: list[bytes] = []

    @property
    def size_bytes(self) -> int:
        """Returns the stored size of the file."""
        return self._source.size_bytes

    @property
    def read_bytes(self) -> int:
        """Returns the number of stored bytes read so far."""
        return self._source.read_bytes

    def records(self, start: Position) -> Iterator[Record]:
        """Yields every record after ``start``."""
        for record in self._source.records(start):
            self.noted.append(digest_of(record))
            yield record

    def take_noted(self) -> list[bytes]:
        """Returns the digests collected since the last call."""
        noted, self.noted = self.noted, []
        return noted


def digest_of(record: Record) -> bytes:
    """Returns an eight-byte digest of the record's bytes."""
    return blake2b(record.raw, digest_size=DIGEST_BYTES).digest()


def _kept(folder: Path) -> Iterator[tuple[str, Progress]]:
    """Yields identity and progress of every known file. Skips damaged progress files."""
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            yield path.stem, msgspec.json.decode(path.read_bytes(), type=Progress)
        except msgspec.MsgspecError:
            continue


def _digests(path: Path, sizes: Collection[int]) -> tuple[int, dict[int, str]]:
    """Returns the file's size, and digests by prefix length: one for each of ``sizes`` and one for the whole file.

    Omits prefixes that do not end with a line end: their last line may have been incomplete when it was delivered.
    """
    digest, at, result, last = blake2b(digest_size=16), 0, dict[int, str](), b""
    stops = iter(sorted(sizes))
    stop = next(stops, None)
    with path.open("rb") as file:
        while data := file.read(READ_BYTES if stop is None else min(READ_BYTES, max(1, stop - at))):
            digest.update(data)
            at, last = at + len(data), data[-1:]
            while stop is not None and stop <= at:
                if stop == at and last == b"\n":
                    result[at] = digest.hexdigest()
                stop = next(stops, None)
    result[at] = digest.hexdigest()
    return at, result


def _records(path: Path) -> Counter[bytes]:
    data = path.read_bytes() if path.exists() else b""
    return Counter(data[at : at + DIGEST_BYTES] for at in range(0, len(data) - DIGEST_BYTES + 1, DIGEST_BYTES))
