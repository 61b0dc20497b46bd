import gzip
from pathlib import Path

import pytest

from connectors.sources import lines
from connectors.sources.ndjson import NdjsonSource
from connectors.sources.record import Position, Record
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected


def read(path: Path, start: Position = Position()) -> list[Record]:  # noqa: B008 - frozen
    return list(NdjsonSource(path).records(start))


def test_lines_come_with_number_bytes_payload_and_the_place_after_them(tmp_path):
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'{"a":1}\n\n{"a":2}\r\n{"a":3}')

    records = read(path)

    assert [(r.number, r.raw, r.payload) for r in records] == [
        (1, b'{"a":1}', {"a": 1}),
        (3, b'{"a":2}', {"a": 2}),
        (4, b'{"a":3}', {"a": 3}),
    ]
    assert [r.after for r in records] == [Position(1, 8), Position(3, 18), Position(4, 25)]


@pytest.mark.parametrize("packed", [False, True])
def test_reading_goes_on_from_any_position_it_has_given_out(tmp_path, packed):
    body = b"\xef\xbb\xbf" + b"".join(b'{"n":%d}\n' % n for n in range(50))
    path = tmp_path / "events.ndjson"
    path.write_bytes(gzip.compress(body) if packed else body)
    whole = read(path)

    assert len(whole) == 50
    for done, record in enumerate(whole, 1):
        assert read(path, record.after) == whole[done:]


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b'{"a":', Reason.UNDECODABLE, "not JSON"),
        (b'{"a":"\xff"}', Reason.UNDECODABLE, "not UTF-8 at byte 6"),
        (b"\x00\x01\x02", Reason.UNDECODABLE, "not JSON"),
        (b"[" * 100_000, Reason.UNDECODABLE, "not JSON"),
        (b"[1]", Reason.INVALID_FIELD, "an array"),
        (b'"text"', Reason.INVALID_FIELD, "a string"),
        (b"12", Reason.INVALID_FIELD, "a number"),
        (b"true", Reason.INVALID_FIELD, "a boolean"),
        (b"null", Reason.INVALID_FIELD, "null"),
    ],
)
def test_a_bad_line_is_rejected_with_its_bytes_and_the_next_one_is_read(tmp_path, line, reason, detail):
    path = tmp_path / "events.ndjson"
    path.write_bytes(line + b'\n{"a":2}\n')

    bad, good = read(path)

    assert isinstance(bad.payload, Rejected)
    assert (bad.raw, bad.payload.reason) == (line, reason)
    assert detail in bad.payload.detail
    assert (good.number, good.payload) == (2, {"a": 2})


def test_a_line_over_the_limit_is_cut_and_rejected_and_the_next_one_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"x" * 35 + b'\n{"a":2}\n')

    bad, good = read(path)

    assert isinstance(bad.payload, Rejected)
    assert (bad.raw, bad.payload.reason) == (b"x" * 10, Reason.TOO_LARGE)
    assert (good.payload, good.after) == ({"a": 2}, Position(2, 44))


def test_a_gzip_that_ends_early_gives_what_it_holds_and_one_reject(tmp_path):
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\n' * 20_000)[:-30])

    *good, last = read(path)

    assert isinstance(last.payload, Rejected)
    assert last.payload.reason is Reason.UNDECODABLE
    assert "compressed stream" in last.payload.detail
    assert all(record.payload == {"a": 1} for record in good)


def test_progress_is_counted_in_stored_bytes_and_ends_at_the_size(tmp_path):
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\n' * 50_000))
    source = NdjsonSource(path)

    seen = [source.read_bytes for _ in source.records(Position())]

    assert seen == sorted(seen)
    assert source.read_bytes == source.size_bytes == path.stat().st_size
