"""NDJSON: one Segment-spec event per line."""

from collections.abc import Iterator

import msgspec

from connectors.sources.lines import MAX_LINE_BYTES, BrokenStreamError, FileSource, Line, lines
from connectors.sources.record import Payload, Position, Record
from pipeline.event.json_text import read_json
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected


class NdjsonSource(FileSource):
    """Reads the lines of one file. Skips blank lines, which still count as line numbers."""

    def records(self, start: Position) -> Iterator[Record]:
        """Yields every line after ``start``."""
        number, end = start.number, start.offset
        try:
            for line in lines(self._opened.stream, start.offset):
                number, end = number + 1, line.end
                if line.raw.strip():
                    yield Record(number, line.raw, _payload(line), Position(number, end))
        except BrokenStreamError as broken:
            yield Record(number + 1, b"", Rejected(Reason.UNDECODABLE, str(broken)), Position(number + 1, end))
        finally:
            self._opened.close()


def _payload(line: Line) -> Payload | Rejected:
    if line.cut:
        return Rejected(Reason.TOO_LARGE, f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        payload = read_json(line.raw)
    except UnicodeDecodeError:
        return Rejected(Reason.UNDECODABLE, f"not UTF-8 at byte {_first_bad_byte(line.raw)}")
    except (msgspec.DecodeError, RecursionError) as error:
        return Rejected(Reason.UNDECODABLE, f"not JSON: {error}")
    if isinstance(payload, dict):
        return payload
    return Rejected(Reason.INVALID_FIELD, f"an event is a JSON object, this is {_json_kind(payload)}")


def _first_bad_byte(raw: bytes) -> int:
    """Returns the offset in the line; the JSON decoder reports offsets within a string only."""
    try:
        return len(raw.decode())
    except UnicodeDecodeError as error:
        return error.start


def _json_kind(value: object) -> str:
    kinds = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
