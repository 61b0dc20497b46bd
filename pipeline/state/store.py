"""One RocksDB per stage and partition: column families, raw keys; one block cache and write-buffer limit a process."""

import shutil
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import rocksdict

from pipeline.state import layout


class Change(NamedTuple):
    """One row's new bytes; None deletes the row. The unit of both the changelog and RocksDB's write batch."""

    family: str
    key: bytes
    value: bytes | None


OTHER_FILES: Final = 10
"""RocksDB's own share of ``max_open_files`` (``kNumNonTableCacheFiles``)."""
MIN_TABLE_FILES: Final = 10
"""RocksDB raises ``max_open_files`` to at least 20."""
TABLE_SHARD_BITS: Final = 1

Row: TypeAlias = tuple[str, bytes, bytes | None]
"""A change as a plain tuple, which is cheaper to create by the thousand. Every :class:`Change` is a ``Row``."""


class RocksOptions(msgspec.Struct, frozen=True):
    """The options that differ from RocksDB's own defaults."""

    block_cache_bytes: int = 256 << 20
    bloom_bits_per_key: int = 10
    write_buffer_bytes: int = 32 << 20
    all_write_buffers_bytes: int = 192 << 20
    """Limit for the write buffers of all databases of the process together. Without one, each family of each database
    could fill its own."""
    log_bytes: int = 64 << 20
    """Size of a database's write-ahead log at which families with old rows in it are flushed. Bounds the disk space,
    and the time to open the database after a kill."""
    arena_block_bytes: int = 64 << 10
    """Memory that a write buffer takes at once when it needs some. With RocksDB's default of 1 MB the almost empty
    buffers of a worker with 16 partitions are above the limit of all, and almost every write flushes one."""
    seen_bloom_share: float = 0.02
    """Share of a write buffer used for a bloom filter of its keys, for message ids only: it is taken when the buffer is
    created. Most message ids are new, so most look-ups of the de-duplication end at the filter."""
    table_files: int = 512
    """Files of rows that a database keeps open. Reading a row of another file opens it again and closes one."""


class RocksEngine:
    """Opens databases that share one block cache and one limit for write buffers. Create one engine per process."""

    def __init__(self, options: RocksOptions) -> None:
        self._options = options
        self._cache = rocksdict.Cache(options.block_cache_bytes)
        self._write_buffers = rocksdict.WriteBufferManager(options.all_write_buffers_bytes, allow_stall=False)

    def open(self, path: Path, families: Sequence[str]) -> "PartitionStore":
        """Opens or creates the database.

        Deletes a database of another format version; the caller then restores it from its changelog.

        Raises:
            Exception: RocksDB's own error, such as a lock held by another process on the same folder.
        """
        store = PartitionStore(path, self._by_family(families))
        if store.format_version() not in {None, layout.FORMAT_VERSION}:
            store.close()
            shutil.rmtree(path)
            store = PartitionStore(path, self._by_family(families))
        return store

    def _by_family(self, families: Sequence[str]) -> dict[str, Any]:
        options, of_seen = self._rocks_options(), self._rocks_options()
        of_seen.set_memtable_prefix_bloom_ratio(self._options.seen_bloom_share)
        of_seen.set_memtable_whole_key_filtering(True)
        return {name: of_seen if name == layout.SEEN else options for name in (*families, layout.META)}

    def _rocks_options(self) -> Any:
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.create_missing_column_families(True)
        options.set_write_buffer_size(self._options.write_buffer_bytes)
        options.set_write_buffer_manager(self._write_buffers)
        options.set_max_total_wal_size(self._options.log_bytes)
        options.set_arena_block_size(self._options.arena_block_bytes)
        options.set_max_open_files(self._options.table_files + OTHER_FILES)
        # Each shard keeps at least one file open, so the default of 64 shards would be above a small limit.
        options.set_table_cache_num_shard_bits(TABLE_SHARD_BITS)
        # A manifest names the first and last key of files that are long deleted, until the next one begins.
        options.set_max_manifest_file_size(1)
        blocks = rocksdict.BlockBasedOptions()
        blocks.set_bloom_filter(self._options.bloom_bits_per_key, False)
        blocks.set_block_cache(self._cache)
        blocks.set_cache_index_and_filter_blocks(True)
        options.set_block_based_table_factory(blocks)
        return options


class PartitionStore:
    """The durable rows of one partition. ``apply`` is the only way to write and is atomic over all families."""

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        """``options`` by family. Those of :data:`layout.META` are the database's."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = rocksdict.Rdict(str(path), options[layout.META], column_families=dict(options))
        self._families = {name: self._db.get_column_family(name) for name in options}
        self._handles = {name: self._db.get_column_family_handle(name) for name in options}
        self._reclaiming: threading.Thread | None = None
        self._is_closing = threading.Event()

    def get(self, family: str, key: bytes) -> bytes | None:
        """Returns the row's bytes as last applied, or None if there is no row."""
        value: bytes | None = self._families[family].get(key)
        return value

    def holds(self, family: str) -> bool:
        """Returns whether the database has the family."""
        return family in self._families

    def family(self, name: str) -> Any:
        """Returns the column family itself, for views that read it once per event."""
        return self._families[name]

    def scan(self, family: str) -> Iterator[tuple[bytes, bytes]]:
        """Yields every row of a family, in key order."""
        return self.scan_from(family, b"")

    def scan_from(self, family: str, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yields the rows of a family from ``start`` (inclusive), in key order."""
        rows: Any = self._families[family].items(from_key=start or None)
        yield from rows

    def position(self) -> int:
        """Returns the changelog offset below which every record is in the database; 0 for a new database."""
        return int(self.get(layout.META, layout.META_POSITION) or 0)

    def format_version(self) -> int | None:
        """Returns the format version the database was written with; None for a new database."""
        version = self.get(layout.META, layout.META_FORMAT)
        return int(version) if version else None

    def apply(self, changes: Iterable[Row], position: int) -> None:
        """Writes the rows and the changelog position that they advance the database to, all or nothing."""
        batch, handles = rocksdict.WriteBatch(raw_mode=True), self._handles
        put = batch.put
        for family, key, value in changes:
            if value is None:
                batch.delete(key, handles[family])
            else:
                put(key, value, handles[family])
        meta = handles[layout.META]
        batch.put(layout.META_POSITION, str(position).encode(), meta)
        batch.put(layout.META_FORMAT, str(layout.FORMAT_VERSION).encode(), meta)
        self._db.write(batch)

    def reclaim(self, families: Collection[str]) -> Callable[[], bool]:
        """Starts to remove deleted rows of some families from the files. Returns a function: whether that is done.

        A thread does it, because it reads and writes the families whole. Writes may go on meanwhile.
        """
        done = threading.Event()

        def run() -> None:
            for family in self._families.values():
                family.flush()  # all, or the write-ahead log would stay
            options = rocksdict.CompactOptions()
            # Otherwise a file without overlaps is kept as it is, with the keys of its deletions.
            options.set_bottommost_level_compaction(rocksdict.BottommostLevelCompaction.force())
            for name in families:
                if self._is_closing.is_set():
                    return
                self._families[name].compact_range(None, None, options)
            # The manifest describes the files before its last change. So change a row that is always the same.
            self._families[layout.META][layout.META_FORMAT] = str(layout.FORMAT_VERSION).encode()
            self._families[layout.META].flush()
            done.set()

        self._reclaiming = threading.Thread(target=run, name="reclaim", daemon=True)
        self._reclaiming.start()
        return done.is_set

    def close(self) -> None:
        """Flushes, and releases the lock on the folder even while references to this object remain."""
        if self._reclaiming is not None:
            self._is_closing.set()
            self._reclaiming.join()  # cancelling the compaction instead would make the flush of the close fail
        # RocksDB holds the folder's lock until the last family and handle is closed.
        self._handles.clear()
        for family in self._families.values():
            family.close()
        self._db.close()
