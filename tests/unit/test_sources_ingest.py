from base64 import b64decode
from copy import deepcopy
from pathlib import Path

import msgspec
import pytest

from connectors.sources import ingest as module
from connectors.sources.choose import source_for
from connectors.sources.identity import KnownFile
from connectors.sources.ingest import Ingest, Totals
from connectors.sources.outgoing import EventEncoder, Outgoing
from connectors.sources.record import Position, Record
from connectors.sources.rejects import SHOWN, Rejects
from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Decoder
from pipeline.event.model import Channel
from pipeline.event.parse import Defaults
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected
from pipeline.event.rules import DEFAULT_TYPES, IntakeRules

EVENT = {"type": "track", "event": "x", "messageId": "m", "channel": "web", "timestamp": 1772366400001, "userId": "u"}


def encoder(channel: Channel | None = None, tenant: str = "default") -> EventEncoder:
    return EventEncoder(IntakeRules(), DEFAULT_TYPES, schema_ids(""), "cdp", Defaults(tenant=tenant, channel=channel))


class Log:
    """Committed chunks and calls of the report, in one sequence."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.committed_records: list[Outgoing] = []
        self.positions: list[Position] = []
        self.rejects: list[tuple[int, Rejected]] = []
        self._open: list[Outgoing] = []

    def add(self, record: Outgoing) -> None:
        self._open.append(record)

    def commit(self, position: Position) -> None:
        self.story.append("commit")
        self.committed_records += self._open
        self.positions.append(position)
        self._open = []

    def rejected(self, record: Record, why: Rejected) -> None:
        self.story.append("rejected")
        self.rejects.append((record.number, why))

    def about_to_commit(self) -> None:
        self.story.append("about to commit")

    def committed(self, position: Position, totals: Totals) -> None:
        assert position == self.positions[-1]
        self.story.append("committed")


def run(path: Path, start: Position = Position(), *, encode: EventEncoder | None = None) -> Log:  # noqa: B008 - frozen
    log = Log()
    Ingest(encode or encoder(), log, path.name, log).run(source_for(path), start, lambda: False)
    return log


def ndjson(path: Path, documents: list[dict]) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode(document) + b"\n" for document in documents))
    return path


def test_an_event_goes_to_its_channels_topic_under_its_anchors_key():
    record = encoder()(EVENT | {"channel": "email", "identifiers": {"email": " A@Example.COM ", "click_id": "c"}})

    assert isinstance(record, Outgoing)
    assert (record.topic, record.key) == ("cdp.events.email.v1", "default/user_id:u")


def test_the_anchor_is_found_as_intake_finds_it_and_the_event_is_sent_as_it_came():
    landing = {"page": {"url": "https://shop.example/?gclid=C7&utm_source=x"}}
    document = {key: value for key, value in EVENT.items() if key != "userId"} | {
        "context": deepcopy(landing),
        "identifiers": {"email": " A@Example.COM ", "user_id": "guest"},
    }

    record = encoder()(document)

    assert isinstance(record, Outgoing)
    assert record.key == "default/email:a@example.com"
    sent = Decoder("event-web")(record.value)
    assert sent["identifiers"] == ["user_id:guest", "email: A@Example.COM "]
    assert msgspec.json.decode(sent["context"]) == landing


@pytest.mark.parametrize(
    ("document", "reason", "detail"),
    [
        ({"type": "shout"}, Reason.INVALID_FIELD, "type"),
        ({"channel": None}, Reason.INVALID_FIELD, "channel"),
        ({"timestamp": "soon"}, Reason.INVALID_FIELD, "timestamp"),
        ({"userId": "guest"}, Reason.NO_IDENTIFIER, "identifiers"),
        ({"userId": None}, Reason.NO_IDENTIFIER, "identifiers"),
        ({"tenant": "A/B"}, Reason.INVALID_FIELD, "tenant"),
        ({"properties": {"x": "y" * 300_000}}, Reason.TOO_LARGE, "limit"),
        ({"timestamp": 10**30}, Reason.INVALID_FIELD, "timestamp"),
        ({"properties": {"total": 5, "currency": "BTC"}}, Reason.INVALID_FIELD, "ISO 4217"),
        ({"colour": "red"}, Reason.INVALID_FIELD, "colour"),
    ],
)
def test_what_intake_would_quarantine_is_rejected_at_once(document, reason, detail):
    refused = encoder()(EVENT | document)

    assert isinstance(refused, Rejected)
    assert refused.reason is reason
    assert detail in refused.detail


def test_old_and_future_events_are_left_to_intakes_clock():
    assert isinstance(encoder()(EVENT | {"timestamp": 1772366400001}), Outgoing)
    assert isinstance(encoder()(EVENT | {"timestamp": "2999-01-01"}), Outgoing)


def test_defaults_fill_missing_fields_of_an_event(tmp_path):
    bare = {"type": "track", "event": "x", "timestamp": 1772366400001, "userId": "u"}
    path = ndjson(tmp_path / "a.ndjson", [bare, bare])

    log = run(path, encode=encoder(channel="pos", tenant="acme"))

    sent = [Decoder("event-pos")(record.value) for record in log.committed_records]
    assert [record.key for record in log.committed_records] == ["acme/user_id:u"] * 2
    assert {event["source"] for event in sent} == {"pos"}
    assert len({event["message_id"] for event in sent}) == 2


def test_the_same_file_gets_the_same_message_ids_packed_or_not(tmp_path):
    bare = {"type": "track", "event": "x", "timestamp": 1772366400001, "userId": "u", "channel": "web"}
    first = run(ndjson(tmp_path / "a.ndjson", [bare, bare]))
    second = run(ndjson(tmp_path / "a.ndjson.gz", [bare, bare]))

    assert first.committed_records == second.committed_records


def test_rejects_are_reported_before_their_chunk_commits_and_good_records_are_delivered(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_RECORDS", 2)
    path = tmp_path / "a.ndjson"
    good = msgspec.json.encode(EVENT)
    path.write_bytes(b"\n".join([good, b"{", good, b"[]", good]))

    log = run(path)

    assert len(log.committed_records) == 3
    assert [(number, why.reason) for number, why in log.rejects] == [
        (2, Reason.UNDECODABLE),
        (4, Reason.INVALID_FIELD),
    ]
    chunk = ["about to commit", "commit", "committed"]
    assert log.story == ["rejected", *chunk, "rejected", *chunk, *chunk]
    assert log.positions[-1].number == 5


def test_going_on_after_any_commit_delivers_the_rest_and_nothing_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_RECORDS", 3)
    path = ndjson(tmp_path / "a.ndjson", [EVENT | {"messageId": f"m{n}"} for n in range(10)])
    whole = run(path)

    for chunk, position in enumerate(whole.positions, 1):
        assert run(path, position).committed_records == whole.committed_records[3 * chunk :]


def test_a_stop_ends_after_a_committed_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_RECORDS", 3)
    path = ndjson(tmp_path / "a.ndjson", [EVENT] * 10)
    log = Log()

    Ingest(encoder(), log, path.name, log).run(source_for(path), Position(), lambda: True)

    assert len(log.committed_records) == 3


def test_rejects_keep_their_bytes_and_people_see_file_line_and_reason(tmp_path):
    output: list[str] = []
    rejects = Rejects(output.append, tmp_path / "rejects.ndjson")
    why = Rejected(Reason.UNDECODABLE, "not JSON")
    for raw in ("é{".encode(), b"\xff\x00"):
        rejects.report(Path("in.ndjson"), Record(7, raw, why, Position()), why)
    rejects.close()

    first, second = map(msgspec.json.decode, (tmp_path / "rejects.ndjson").read_bytes().splitlines())
    assert output == ["in.ndjson:7 undecodable: not JSON"] * 2
    assert first == {"file": "in.ndjson", "line": 7, "reason": "undecodable", "detail": "not JSON", "raw": "é{"}
    assert b64decode(second["raw_base64"]) == b"\xff\x00"


def test_a_flood_of_rejects_is_cut_on_the_screen_but_not_in_the_file(tmp_path):
    output: list[str] = []
    rejects = Rejects(output.append, tmp_path / "rejects.ndjson")
    why = Rejected(Reason.UNDECODABLE, "not JSON")
    for number in range(SHOWN + 50):
        rejects.report(Path("in.ndjson"), Record(number, b"{", why, Position()), why)
    rejects.close()

    assert len(output) == SHOWN + 1
    assert (tmp_path / "rejects.ndjson").read_bytes().count(b"\n") == SHOWN + 50


def test_a_file_is_known_by_content_and_by_how_it_is_read(tmp_path):
    first, copy, other = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    first.write_bytes(b"x" * 200_000)
    copy.write_bytes(b"x" * 200_000)
    other.write_bytes(b"x" * 100_000 + b"y" + b"x" * 99_999)

    def identity(path: Path, reading: str) -> str:
        return KnownFile(tmp_path / "ingest", path, reading).identity

    assert identity(first, "here") == identity(copy, "here")
    assert len({identity(first, "here"), identity(other, "here"), identity(first, "there")}) == 3


LINE = b"x" * 99 + b"\n"


@pytest.mark.parametrize(
    ("after", "state"),
    [
        (LINE * 30_000, "same"),
        (LINE * 30_001, "grown"),
        (LINE * 15_000 + b"y" * 99 + b"\n" + LINE * 14_999, "changed"),
        (LINE * 29_999, "changed"),
        (b"z" + LINE * 30_000, "changed"),
    ],
    ids=["same", "grown", "corrected in the middle", "cut", "shifted"],
)
def test_what_became_of_a_file_is_known_by_all_of_its_bytes(tmp_path, after, state):
    path = tmp_path / "log"
    path.write_bytes(LINE * 30_000)
    before = KnownFile(tmp_path / "ingest", path, "here")
    before.save(Position(30_000, 3_000_000), [b"12345678"])
    path.write_bytes(after)
    now = KnownFile(tmp_path / "ingest", path, "here")
    assert (before.state, now.state) == ("new", state)
    assert now.position == (Position() if state == "changed" else Position(30_000, 3_000_000))
    assert now.earlier == ({b"12345678": 1} if state == "changed" else {})
    assert (now.identity == before.identity) == (state != "changed")


def test_a_last_line_that_was_not_whole_is_not_passed_over_when_the_file_has_grown(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(LINE + b"half")
    KnownFile(tmp_path / "ingest", path, "here").save(Position(2, 104), [])
    path.write_bytes(LINE + b"half and half" + b"\n")
    assert KnownFile(tmp_path / "ingest", path, "here").state == "changed"


def test_progress_survives_and_damage_means_the_beginning(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(LINE)
    kept = KnownFile(tmp_path / "ingest", path, "here")
    assert kept.position == Position()
    kept.save(Position(3, 99), [])
    assert KnownFile(tmp_path / "ingest", path, "here").position == Position(3, 99)

    (tmp_path / "ingest" / f"{kept.identity}.json").write_bytes(b"")
    assert KnownFile(tmp_path / "ingest", path, "here").position == Position()
