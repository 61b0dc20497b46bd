"""Compares RocksDB on disk with the changelog: every database and every copy, rolled forward, and a fresh restore."""

import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from pipeline.chaos.comparison import Comparison, comparison
from pipeline.settings import Settings
from pipeline.state import layout
from pipeline.state.store import PartitionStore, RocksEngine, RocksOptions
from pipeline.stream.build import STAGES
from pipeline.stream.restore import high_watermark, roll_forward
from pipeline.topics import CHANGELOGS

Rows = dict[tuple[str, bytes], bytes]
FRESH: Final = "restored"
THREADS: Final = 6


class StateCheck:
    """Restores every partition from its changelog alone, and compares databases with that."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._engine = RocksEngine(RocksOptions(block_cache_bytes=64 << 20))
        self._fresh: dict[str, Rows] = {}
        self.unusable: list[str] = []
        """Databases that RocksDB refuses to open. A worker restores such a partition from the changelog."""

    def compare(self, name: str, folders: Iterable[Path]) -> Comparison:
        """Compares the databases below these folders of workers."""
        databases = [path for folder in folders for path in sorted(folder.glob("*-*")) if path.is_dir()]
        with ThreadPoolExecutor(THREADS, "restore") as threads:  # each waits for the broker most of its time
            missing = sorted({path.name for path in databases} - self._fresh.keys())
            self._fresh |= zip(missing, threads.map(self._restored, missing), strict=True)
            found = [text for texts in threads.map(self._differences, databases) for text in texts]
        return comparison(name, len(databases), found)

    def _differences(self, path: Path) -> list[str]:
        return list(self._compared(path))

    def _compared(self, path: Path) -> Iterator[str]:
        stage, _, number = path.name.rpartition("-")
        end = high_watermark(self._settings.kafka(), self._topic(stage), int(number))
        try:
            store = self._open(path, stage)
        except Exception as error:  # noqa: BLE001 - RocksDB's errors have no common class
            self.unusable.append(f"{path.parent.name}/{path.name}: {error}")
            return
        if store.position() > end:
            yield f"ahead: {path.parent.name}/{path.name} is at {store.position()}, its changelog ends at {end}"
        ours, theirs = self._rolled_forward(store, stage, int(number)), self._fresh[path.name]
        for family, key in sorted({place for place, _ in ours.items() ^ theirs.items()}):
            disk, log = _size(ours, family, key), _size(theirs, family, key)
            yield f"different: {path.parent.name}/{path.name}: {family} {key!r}: disk {disk}, changelog {log}"

    def _restored(self, name: str) -> Rows:
        """Returns the rows of ``stage-partition``, restored from the changelog alone."""
        stage, _, number = name.rpartition("-")
        path = self._folder / FRESH / name
        shutil.rmtree(path, ignore_errors=True)
        return self._rolled_forward(self._open(path, stage), stage, int(number))

    def _rolled_forward(self, store: PartitionStore, stage: str, partition: int) -> Rows:
        try:
            for _ in roll_forward(self._settings.kafka(), self._topic(stage), partition, store, is_wanted=lambda: True):
                pass
            families = [family for family in STAGES[stage].families if family != layout.META]
            return {(family, key): value for family in families for key, value in store.scan(family)}
        finally:
            store.close()

    def _open(self, path: Path, stage: str) -> PartitionStore:
        return self._engine.open(path, STAGES[stage].families)

    def _topic(self, stage: str) -> str:
        return CHANGELOGS[stage].of(self._settings.topic_prefix)


def _size(rows: Rows, family: str, key: bytes) -> str:
    value = rows.get((family, key))
    return "no row" if value is None else f"{len(value)} bytes"
