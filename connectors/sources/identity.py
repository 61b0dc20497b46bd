"""Which file this is, by all of its bytes, and how far it was delivered to which Kafka.

A file is known wherever it lies and whatever it is called. One that grew is continued. One that changed is a new file
of which the records are left out that its earlier state has delivered.
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
    """How far a file was delivered, and what it was then."""

    number: int = 0
    offset: int = 0
    size: int = 0
    """Bytes of the file as stored."""
    digest: str = ""
    """Of all of them."""
    path: str = ""
    reading: str = ""
    """Digest of the destination and the options: the same file goes to another cluster, or with a corrected mapping,
    from its start."""

    @property
    def position(self) -> Position:
        """Where to go on."""
        return Position(self.number, self.offset)


class KnownFile:
    """A file, what is kept of it beyond the days for which Kafka remembers its position, and what it is by that."""

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
        """16 hex digits: what the delivery is called."""
        self.earlier: Counter[bytes] = Counter()
        """Digests of the records that an earlier state of a changed file has delivered."""
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
        """The position last saved; the beginning if there is none."""
        return self._progress.position

    def start_over(self) -> None:
        """Forget the digests of records: the file is delivered from its start."""
        self._records_of(self.identity).unlink(missing_ok=True)

    def save(self, position: Position, records: list[bytes]) -> None:
        """Keep the digests of more records and the position behind them, so that a crash leaves the old or the new."""
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
    """A source whose records' digests are noted as they are read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.noted: list[bytes] = []

    @property
    def size_bytes(self) -> int:
        """As the source."""
        return self._source.size_bytes

    @property
    def read_bytes(self) -> int:
        """As the source."""
        return self._source.read_bytes

    def records(self, start: Position) -> Iterator[Record]:
        """As the source."""
        for record in self._source.records(start):
            self.noted.append(digest_of(record))
            yield record

    def take_noted(self) -> list[bytes]:
        """The digests noted since the last call."""
        noted, self.noted = self.noted, []
        return noted


def digest_of(record: Record) -> bytes:
    """Eight bytes that stand for the record's own bytes."""
    return blake2b(record.raw, digest_size=DIGEST_BYTES).digest()


def _kept(folder: Path) -> Iterator[tuple[str, Progress]]:
    """Identity and progress of every file known; a damaged one is none."""
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            yield path.stem, msgspec.json.decode(path.read_bytes(), type=Progress)
        except msgspec.MsgspecError:
            continue


def _digests(path: Path, sizes: Collection[int]) -> tuple[int, dict[int, str]]:
    """The file's size, and digests of its first bytes: of as many as each size says, and of all.

    A size at which no line ends has none: the last line may have grown since, so that it was not whole when delivered.
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
