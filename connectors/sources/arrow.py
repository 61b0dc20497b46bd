"""Parquet and Arrow files. Without a mapping, columns have the names of the Segment spec or of the event schema.

pyarrow is optional (the extra ``export``) and imported when the first such file is read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from connectors.sources.avro import as_segment
from connectors.sources.mapping import Mapping
from connectors.sources.record import Payload, Position, Record
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected

PARQUET_MAGIC: Final = b"PAR1"
ARROW_MAGIC: Final = b"ARROW1"
BATCH_ROWS: Final = 4_096


class ArrowSource:
    """Reads the rows of one file, batch by batch. The rest of a file after damage is lost."""

    def __init__(self, path: Path, mapping: Mapping | None = None) -> None:
        self._path, self._mapping = path, mapping
        self.size_bytes = path.stat().st_size
        self.read_bytes = 0

    def records(self, start: Position) -> Iterator[Record]:
        """Yields every row after ``start``. Earlier rows are read and skipped.

        Raises:
            ModuleNotFoundError: pyarrow is not installed.
        """
        number = 0
        for batch in self._batches():
            if isinstance(batch, Rejected):
                yield Record(number + 1, b"", batch, Position(number + 1, 0))
                return
            if number + batch.num_rows > start.number:
                for row in batch.to_pylist():
                    number += 1
                    if number > start.number:
                        yield self._record(number, row)
            else:
                number += batch.num_rows
        self.read_bytes = self.size_bytes

    def _batches(self) -> Iterator[Any]:
        """Yields the record batches, and a ``Rejected`` at the first damage."""
        from pyarrow import ArrowException, ipc, parquet  # type: ignore[import-untyped]  # noqa: PLC0415 - slow, optional

        try:
            with self._path.open("rb") as file:
                if file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC:
                    file.seek(0)
                    yield from parquet.ParquetFile(file).iter_batches(batch_size=BATCH_ROWS)
                    return
                file.seek(0)
                reader = ipc.open_file(file)
                for place in range(reader.num_record_batches):
                    yield reader.get_batch(place)
        except (ArrowException, OSError, ValueError) as error:
            yield Rejected(Reason.UNDECODABLE, f"the file is damaged: {error}")

    def _record(self, number: int, row: dict[str, Any]) -> Record:
        """Returns a record with JSON types only: dates become ISO 8601 text, decimals text, bytes base64."""
        plain = msgspec.to_builtins({name: value for name, value in row.items() if value is not None}, str_keys=True)
        raw = msgspec.json.encode(plain)
        return Record(number, raw, self._payload(plain), Position(number, 0))

    def _payload(self, plain: dict[str, Any]) -> Payload | Rejected:
        return self._mapping.payload(plain) if self._mapping is not None else as_segment(plain)
