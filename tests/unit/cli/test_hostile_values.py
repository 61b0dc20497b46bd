"""What customers send, through every command that prints it: no control byte reaches the operator's terminal raw."""

import ast
import copy
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest
from typer.testing import CliRunner

from pipeline.cli import app, attribution, dlq, identity_query, leads, profile, score, segment, top
from pipeline.cli.file_progress import FileProgress
from pipeline.cli.identity_screen import print_changes, print_resolved
from pipeline.cli.screen import screen
from pipeline.demo.demo_state import DemoState
from pipeline.demo.lines import LineDisplay
from pipeline.demo.screen import lead_lines
from pipeline.profile.row import ProfileRow
from pipeline.query.attribution import Report
from pipeline.query.live import Counts, HotLead
from pipeline.query.members import Census
from pipeline.query.quarantine import Entry, Listing
from pipeline.settings import Settings

HOSTILE = "Ada\x1b]0;owned\x07\x1b[2J\x9b31m\r\nFAKED ROW\u202e\u2066\t[bold]x[/]\\"
SHOWN = r"Ada\x1b]0;owned\x07\x1b[2J\x9b31m\r\nFAKED ROW\u202e\u2066\t[bold]x[/]"
ROOT = Path(__file__).parents[3]


def assert_harmless(text: str) -> None:
    """No control or format character but line feeds, and no line that begins with what a customer wrote."""
    raw = {char for char in text if char != "\n" and unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"}}
    assert not raw, sorted(map(ascii, raw))
    assert not re.search(r"^\s*FAKED ROW", text, re.MULTILINE)


ACTION: dict[str, Any] = {
    "action_id": HOSTILE, "profile_id": HOSTILE, "kind": "lead", "duplicate_of": "", "timestamp_ms": 0, "score": 87.4,
    "threshold": 70.0, "contributions": [{"rule": HOSTILE, "group": "", "points": 1.0, "occurrences": 1}],
    "identifiers": [f"email:{HOSTILE}"], "contact": {"email": HOSTILE, "firstName": HOSTILE},
    "timeline": [{"channel": HOSTILE, "name": HOSTILE, "timestamp_ms": 0}],
}  # fmt: skip
POINT = {"timestamp_ms": 0, "event": HOSTILE, "type": HOSTILE, "channel": HOSTILE, "campaign": {"name": HOSTILE}}
ENTRY = {"timestamp_ms": 0, "channel": HOSTILE, "event": HOSTILE, "type": HOSTILE, "detail": HOSTILE,
         "amount_minor": 1, "currency": HOSTILE}  # fmt: skip
VIEW: dict[str, Any] = {
    "profile_id": HOSTILE, "tenant": HOSTILE, "as_of_ms": 0, "touches": 1, "anchors": [HOSTILE], "first_touch": POINT,
    "last_touch": POINT | {"referrer": HOSTILE}, "consent": {HOSTILE: True},
    "consent_statements": {HOSTILE: {"granted": True, "event_id": HOSTILE, "timestamp_ms": 0}}, "segments": [HOSTILE],
    "identifiers": {HOSTILE: {"first_seen_ms": 0, "last_seen_ms": 0}},
    "traits": {HOSTILE: {"value": HOSTILE, "timestamp_ms": 0, "channel": HOSTILE}},
    "aggregates": {HOSTILE: {"lifetime": [{"value": HOSTILE, "share": 0.5}]}}, "ratios": {},
    "cart": {"status": HOSTILE, "updated_ms": 0, "due_ms": None,
             "items": [{"id": HOSTILE, "name": HOSTILE, "quantity": 1, "price_minor": 1, "currency": HOSTILE}]},
    "attribution": [{"name": HOSTILE, "timestamp_ms": 0, "currency": HOSTILE, "value_minor": 1, "journey": []}],
    "scores": [{"name": HOSTILE, "value": 1.0, "contributions": []}], "grade": HOSTILE, "timeline": [ENTRY],
}  # fmt: skip
STEP = {"start": HOSTILE, "end": HOSTILE, "count": 1, "first_seen": "", "last_seen": "", "event_id": HOSTILE,
        "source": HOSTILE, "asserted": True, "rejected": ""}  # fmt: skip
WHY = {"identifiers": [HOSTILE] * 2, "profile_ids": [HOSTILE] * 2, "together": True, "path": [STEP], "obstacles": [],
       "complete": True}  # fmt: skip
CHANGE = {"change": HOSTILE, "profile_id": HOSTILE, "other_profile_id": HOSTILE, "rule": HOSTILE, "reason": HOSTILE,
          "identifiers": [HOSTILE]}  # fmt: skip
RESOLVED = {
    "groups": [{"profile_id": HOSTILE, "events": 1, "identifiers": [HOSTILE]}],
    "rejected": [{"start": HOSTILE, "end": HOSTILE, "rejected": HOSTILE, "rule": HOSTILE, "last_seen": HOSTILE}],
    "events": [{"event_id": HOSTILE, "anchor": HOSTILE, "profile_id": HOSTILE}],
}
DLQ_ENTRY = Entry(
    place="0:1", quarantined_at="", reason=HOSTILE, stage=HOSTILE, topic=HOSTILE, source="", detail=HOSTILE,
    size_bytes=1, replayed="",
)  # fmt: skip


MOMENT = DemoState(0.5, 0, 0, {}, 0, Counts(0, 0, 0, 0, 0), [], [], 0, [])


class Bad(NamedTuple):
    """A record of the DLQ whose every byte an attacker chose."""

    def key(self) -> bytes:
        return HOSTILE.encode()

    def value(self) -> bytes:
        return HOSTILE.encode()

    def headers(self) -> list[tuple[str, bytes]]:
        return [(HOSTILE, HOSTILE.encode())]


class _Nothing:
    rows: tuple[()] = ()
    undecided = False
    complete = whole = True
    resolution = None

    def why(self, *_: object) -> tuple[None, "_Nothing"]:
        return None, self

    def knows(self, _: object) -> bool:
        return False


class _NoBars:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def reading(self, _: str) -> None:
        return None

    def counting(self, *_: object) -> None:
        return None


def replaced(patch: pytest.MonkeyPatch, module: Any, **values: Any) -> None:
    """Puts values in the place of what reads Kafka."""
    if hasattr(module, "note_other_rules"):
        patch.setattr(module, "note_other_rules", lambda *_: None)
    for name, value in values.items():
        patch.setattr(module, name, value if callable(value) else lambda *_a, _value=value, **_k: _value)


def _leads(patch: pytest.MonkeyPatch) -> list[str]:
    replaced(
        patch, leads, connected=None, _actions=[ACTION, ACTION | {"kind": "duplicate_of", "duplicate_of": HOSTILE}]
    )
    return ["leads", "tail"]


def _top(patch: pytest.MonkeyPatch) -> list[str]:
    counts = Counts(customers=1, merges=0, leads=1, duplicates=0, quarantined=0)
    lead = HotLead(HOSTILE, 1.0, HOSTILE, 1, 0)

    def pictures(*_: object, **__: object) -> Iterator[top.Picture]:
        yield top.Picture(stages=[], counts=counts, complete=True, hottest=[lead])

    replaced(patch, top, connected=None, _pictures=pictures)
    return ["top", "--once"]


def _profile(patch: pytest.MonkeyPatch) -> list[str]:
    replaced(patch, profile, connected=None, customer=("p", ProfileRow(tenant="t")), profile_view=copy.deepcopy(VIEW))
    return ["profile", "show", "email:a"]


def _timeline(patch: pytest.MonkeyPatch) -> list[str]:
    page = type("Page", (), {"entries": (1,), "before": HOSTILE})
    replaced(patch, profile, connected=None, customer=("p", ProfileRow(tenant="t")), timeline_page=lambda *_: page)
    replaced(patch, profile, entry_view=ENTRY)
    return ["profile", "timeline", "email:a"]


def _score(patch: pytest.MonkeyPatch) -> list[str]:
    replaced(patch, score, connected=Settings(), customer=("p", None), profile_view=copy.deepcopy(VIEW))
    return ["score", "explain", "email:a"]


def _segment(patch: pytest.MonkeyPatch) -> list[str]:
    member = {"profile_id": HOSTILE, "identifiers": [HOSTILE],
              **dict.fromkeys(("name", "firstName", "lastName", "email", "phone"), HOSTILE)}  # fmt: skip
    census = Census(1, {segment.AD_HOC: 1}, {segment.AD_HOC: [member]})
    replaced(patch, segment, connected_under=None, profile_snapshot=_Nothing(), Bars=_NoBars, census=census)
    return ["segment", "dry-run", "--when", "events > 1"]


def _dlq_ls(patch: pytest.MonkeyPatch) -> list[str]:
    count = {"records": 1, "reason": HOSTILE, "stage": HOSTILE, "topic": HOSTILE}
    replaced(patch, dlq, connected=Settings(), partitions_of=0, Reading=lambda *_a, **_k: _NoBatches())
    replaced(patch, dlq, listing=Listing(1, [count], [DLQ_ENTRY]))
    return ["dlq", "ls"]


class _NoBatches:
    def batches(self) -> list[Any]:
        return []


def _dlq_show(patch: pytest.MonkeyPatch) -> list[str]:
    replaced(patch, dlq, connected=Settings(), _record=Bad(), entry_of=DLQ_ENTRY, _decoded=({HOSTILE: HOSTILE}, ""))
    return ["dlq", "show", "0:1"]


def _dlq_show_undecodable(patch: pytest.MonkeyPatch) -> list[str]:
    replaced(patch, dlq, connected=Settings(), _record=Bad(), entry_of=DLQ_ENTRY, _decoded=(None, HOSTILE))
    return ["dlq", "show", "0:1"]


def _why(patch: pytest.MonkeyPatch) -> list[str]:
    nothing = _Nothing()
    replaced(patch, identity_query, _read=(identity_query.load_rules(), nothing), why_facts=dict(WHY))
    return ["identity", "why", "email:ada@example.org", "email:eve@example.org"]


COMMANDS = [_leads, _top, _profile, _timeline, _score, _segment, _dlq_ls, _dlq_show, _dlq_show_undecodable, _why]


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_prints_hostile_values_escaped(
    command: Callable[[pytest.MonkeyPatch], list[str]], options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = CliRunner().invoke(app, [*command(monkeypatch), *options], catch_exceptions=False)

    assert done.exit_code == 0, done.output
    assert "FAKED ROW" in done.stdout
    if not options:
        assert SHOWN in done.stdout
    assert_harmless(done.stdout)
    assert_harmless(done.stderr)


SCREENS: list[Callable[[], None]] = [
    lambda: print_changes(screen(), [CHANGE]),
    lambda: print_resolved(screen(), RESOLVED),
    lambda: attribution.print_report(screen(), Report("linear", "campaign", credit=Counter({HOSTILE: 1}))),
    lambda: LineDisplay(screen()).lead(ACTION, MOMENT),
    lambda: screen().print(lead_lines(ACTION, "10:00", 1000)),
    lambda: FileProgress().say(HOSTILE),
]


@pytest.mark.parametrize("show", SCREENS)
def test_a_screen_shows_hostile_values_escaped(show: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> None:
    show()

    captured = capsys.readouterr()
    assert SHOWN in captured.out + captured.err
    assert_harmless(captured.out)
    assert_harmless(captured.err)


def test_what_no_command_escaped_the_console_does(capsys: pytest.CaptureFixture[str]) -> None:
    screen().print(HOSTILE, markup=False)

    assert not set(capsys.readouterr().out) & {"\x1b", "\x9b", "\u202e", "\u2066", "\x07"}


def test_nothing_prints_but_through_the_one_place() -> None:
    allowed = {"pipeline/cli/printed.py", "pipeline/cli/screen.py", "pipeline/local/progress.py"}
    for path in (*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("connectors/**/*.py")):
        name = str(path.relative_to(ROOT))
        calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert name in allowed or not {"typer.echo", "click.echo", "Console", "print"} & set(calls), name
