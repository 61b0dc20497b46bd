"""Members of segments: counted, sampled, and written for other tools."""

import csv
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyarrow import parquet

from pipeline.export.members import write_members
from pipeline.profile.apply import apply_touch
from pipeline.profile.booking import Plan
from pipeline.profile.ledger import Ledger
from pipeline.profile.row import ProfileRow
from pipeline.profile.rules import AggregateRules
from pipeline.query.members import COLUMNS, census, current_rows, member_of, members
from pipeline.score.rules import ScoreRules
from pipeline.segment.rules import SegmentRule, SegmentRules
from pipeline.segment.segments import Segments
from pipeline.testing.build import touch

START_MS, DAY_MS = 1_772_000_000_000, 86_400_000
SEGMENTS = Segments(
    SegmentRules(
        segments=(
            SegmentRule(name="named", when="traits.firstName is known"),
            SegmentRule(name="silent", when="last_touch >= 1 d"),
            SegmentRule(name="nobody", when="segment.named and not segment.named"),
        )
    ),
    AggregateRules(),
    ScoreRules(),
)


def row(number: int, **traits: Any) -> ProfileRow:
    anchor, ledger = f"user_id:{number}", Ledger()
    seen = [anchor, f"email:p{number}@shop.example"]
    touched = touch(
        anchor, event_id=f"web/{number}", timestamp_ms=START_MS + number, type="identify", name="", identifiers=seen,
        traits=traits,
    )  # fmt: skip
    apply_touch(Plan((), ()), ledger, touched)
    return ProfileRow("default", anchors={anchor: ledger})


ROWS = [
    ("a", row(1, firstName='Ada "A", Countess', phone="+43 1")), ("b", row(2)), ("c", ProfileRow("default")),
    ("d", row(4, firstName="Zoë", name="Zoë\nLine")),
]  # fmt: skip


def test_current_profiles_are_counted_and_the_first_members_shown():
    steps: list[int] = []
    rows = current_rows(ROWS, lambda: steps.append(1))
    result = census(rows, SEGMENTS, ["named", "silent"], START_MS, 1)
    assert (result.profiles, result.counts) == (3, {"named": 2, "silent": 0})
    assert [item["profile_id"] for item in result.samples["named"]] == ["a"]
    assert result.samples["silent"] == []
    assert len(steps) == 4


def test_a_moment_decides_and_a_profile_is_read_at_its_newest_event_at_the_earliest():
    current = [item for item in ROWS if item[1].anchors]
    assert [member["profile_id"] for member in members(current, SEGMENTS, "silent", START_MS + 1 + DAY_MS)] == ["a"]
    assert list(members(current, SEGMENTS, "silent", 0)) == []
    assert list(members(current, SEGMENTS, "nobody", START_MS)) == []


def test_a_member_is_known_by_identifiers_and_contact():
    assert member_of(*ROWS[0]) == {
        "profile_id": "a", "tenant": "default", "identifiers": ["email:p1@shop.example", "user_id:1"],
        "email": "p1@shop.example", "phone": "+43 1", "firstName": 'Ada "A", Countess', "lastName": None, "name": None,
        "company": None,
    }  # fmt: skip


@pytest.mark.parametrize("file_format", ["csv", "ndjson", "parquet"])
def test_every_format_holds_the_same_members_and_the_same_bytes_each_time(tmp_path: Path, file_format: str):
    expected = [member_of(*ROWS[0]), member_of(*ROWS[3])]
    one, other = tmp_path / f"one.{file_format}", tmp_path / f"other.{file_format}"
    for path in (one, other):
        assert write_members(path, iter(expected), file_format) == 2
    assert one.read_bytes() == other.read_bytes()
    assert read(one, file_format) == expected
    assert write_members(one, iter(()), file_format) == 0
    assert read(one, file_format) == []
    assert {path.name for path in tmp_path.iterdir()} == {one.name, other.name}


def read(path: Path, file_format: str) -> list[dict[str, Any]]:
    if file_format == "parquet":
        table = parquet.read_table(path)
        assert tuple(table.column_names) == COLUMNS
        return list(table.to_pylist())
    if file_format == "ndjson":
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    header, *rows = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""))
    assert tuple(header) == COLUMNS
    result = [dict(zip(header, item, strict=True)) for item in rows]
    return [
        {name: msgspec.json.decode(cell) if name == "identifiers" else cell or None for name, cell in item.items()}
        for item in result
    ]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"), ("@SUM(1)", "'@SUM(1)"), ("-2+3", "'-2+3"),
        ("+49 171 1234", "+49 171 1234"),
        ("-5", "-5"), ("Ann", "Ann"), ("\t=1", "'\t=1"),
    ],
)  # fmt: skip
def test_cells_of_a_csv_file_are_neutralised_unless_no_safe_is_given(tmp_path, name, cell):
    member = dict.fromkeys(COLUMNS, "") | {COLUMNS[1]: name}
    for safe, expected in ((True, cell), (False, name)):
        write_members(tmp_path / "m.csv", iter([member]), "csv", safe=safe)
        with (tmp_path / "m.csv").open(newline="", encoding="utf-8") as file:
            assert list(csv.reader(file))[1][1] == expected
