"""Every page over the read model of a simulated day, with customers who typed hostile text wherever they could."""

import html
import os
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import schemas
from pipeline.avro.wire import Decoder
from pipeline.serve.console.app import PAGES
from pipeline.serve.console.data.rules import RuleData
from pipeline.topics import ACTIONS
from tests.support.console import NOW_MS, World, csrf_of
from tests.support.model_records import END_MS, ModelRecords
from tests.support.simulated import decision
from tests.support.waiting import eventually

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"
VOID = {"meta", "link", "input", "br", "hr", "img", "path", "rect", "circle", "line"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    records = ModelRecords(seed=5, people=40, events=900)
    records.tell(
        *(
            {"type": "track", "event": name, "userId": "mallory", "anonymousId": HOSTILE, "messageId": f"m-{number}",
             "timestamp": END_MS + number, "channel": "web", "properties": {"name": HOSTILE, "path": HOSTILE},
             "context": {"campaign": {"name": HOSTILE, "source": HOSTILE}}}
            for number, name in enumerate([HOSTILE, "quote_requested", "quote_requested", "planner_used"])
        ),
        {"type": "identify", "userId": "mallory", "messageId": "m-i", "timestamp": END_MS + 10, "channel": "web",
         "traits": {"first_name": HOSTILE, "city": HOSTILE, "email": "mallory@example.com", HOSTILE: "x"}},
    )  # fmt: skip
    one, other = two_with_leads(records)
    records.tell(decision("link", one, other, END_MS))
    with World(tmp_path_factory.mktemp("console"), records, lambda: NOW_MS) as made:
        yield made


def two_with_leads(records: ModelRecords) -> list[str]:
    """The user ids of two customers with a lead each."""
    decode = Decoder(ACTIONS.value, schemas.text_of_own_id)
    actions = [
        decode(record.value())
        for (topic, _), made in sorted(records.by_place.items())
        if topic == ACTIONS.of(records.prefix)
        for record in made
    ]
    users = {
        action["profile_id"]: identifier
        for action in actions
        for identifier in action["identifiers"]
        if identifier.startswith("user_id:u")
    }
    return sorted(users.values())[:2]


@pytest.fixture(scope="module")
def marketer(world: World) -> TestClient:
    return world.client("marketer@shop.example")


@pytest.fixture(scope="module")
def admin(world: World) -> TestClient:
    return world.client("admin@shop.example")


def mallory(world: World) -> str:
    found = world.reads.profiles.find("default", "user_id:mallory")
    assert found is not None
    return found.profile_id


def paths(world: World) -> list[str]:
    """Every page that is read with GET, with its parts filled in."""
    lead = world.reads.leads.page("default").items[0]["action_id"]
    parts = {"profile_id": mallory(world), "action_id": lead, "name": "engaged", "place": "0:0", "request_id": "r"}
    return [path.format(**parts) for method, path, _, _ in PAGES if method == "GET"]


class Shape(HTMLParser):
    """The tags of a page that scripts could run from, and whether its elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.scripts: list[str | None] = []
        self.handlers: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))
        self.handlers += [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_every_page_answers_and_holds_no_markup_of_a_customer(world: World, admin: TestClient) -> None:
    for path in paths(world):
        if path.startswith(("/quarantine/", "/privacy/requests/", "/accounts/")):
            continue  # it reads Kafka, or needs an account
        answer = admin.get(path)
        assert answer.status_code == 200, (path, answer.text)
        shape = Shape(answer.text)
        assert all(source and source.startswith("/static/") for source in shape.scripts), path
        assert shape.handlers == [], path
        assert (shape.open, shape.wrong) == ([], []), path
        assert "49" not in re.findall(r"onerror=alert\(2\)>(..)", html.unescape(answer.text)), path


def test_what_a_customer_typed_is_shown_as_text(world: World, marketer: TestClient) -> None:
    page = marketer.get(f"/customers/{mallory(world)}").text
    assert HOSTILE not in page
    assert html.unescape(page).count(HOSTILE) >= 5
    assert "<h1>&lt;script&gt;" in page


def test_a_customers_page_shows_what_the_readable_profile_holds(world: World, marketer: TestClient) -> None:
    profile_id = _hottest(world)
    view = world.reads.profiles.detail("default", profile_id)
    assert view is not None
    text = html.unescape(re.sub(r"<[^>]+>", " ", marketer.get(f"/customers/{profile_id}").text))
    for identifier in view["identifiers"]:
        assert identifier.partition(":")[2] in text
    for score in view["scores"]:
        assert f"{score['value']:.1f}" in text
        for part in score["contributions"]:
            assert f"{part['points']:+.1f}".replace("-", "\u2212") in text
    for segment in view["segments"]:
        assert segment.replace("_", " ") in text
    assert len(re.findall(r"data-channel=", marketer.get(f"/customers/{profile_id}").text)) == len(view["timeline"])


def test_a_timeline_is_filtered_by_channel(world: World, marketer: TestClient) -> None:
    profile_id = _hottest(world)
    view = world.reads.profiles.detail("default", profile_id)
    assert view is not None
    channel = view["timeline"][0]["channel"]
    part = marketer.get(f"/customers/{profile_id}/timeline?channel={channel}", headers={"hx-request": "true"}).text
    shown = re.findall(r'data-channel="(\w+)"', part)
    assert shown == [entry["channel"] for entry in view["timeline"] if entry["channel"] == channel]


def test_an_identifier_and_a_merged_id_lead_to_the_customer(world: World, marketer: TestClient) -> None:
    answer = marketer.get("/customers", params={"q": "user_id:mallory"})
    assert answer.headers["location"] == f"/customers/{mallory(world)}"
    changes = world.reads.identity.changes("default", limit=100).items
    merges = [change for change in changes if change["change"] == "merged"]
    merge = next(change for change in merges if world.reads.profiles.find("default", change["other_profile_id"]))
    answer = marketer.get(f"/customers/{merge['other_profile_id']}")
    assert answer.status_code == 303
    page = marketer.get(answer.headers["location"]).text
    assert f"The id <code>{merge['other_profile_id']}</code> was merged into this customer" in page


def test_search_finds_names_and_says_when_it_finds_nothing(world: World, marketer: TestClient) -> None:
    assert mallory(world)[:8] in marketer.get("/customers", params={"q": "mallory@"}).text
    assert "No customer is found by" in marketer.get("/customers", params={"q": "nobody@nowhere"}).text
    assert marketer.get("/customers", params={"q": "x"}).status_code == 400


def test_the_graph_walks_and_says_in_words_what_it_draws(world: World, marketer: TestClient) -> None:
    profile_id = _hottest(world)
    page = marketer.get(f"/customers/{profile_id}/graph").text
    graph = world.reads.identity.graph("default", profile_id)
    assert graph is not None
    assert len(re.findall(r'<line class="edge', page)) == graph.number_of_edges()
    assert len(re.findall(r"<tr><td>", page)) == graph.number_of_edges()
    outside = [facts["profile_id"] for _, facts in graph.nodes(data=True) if not facts["member"]]
    assert re.findall(r'<a href="/customers/([0-9a-f-]+)/graph"', page) == outside


@pytest.mark.parametrize(
    ("condition", "marked", "says"),
    [
        ("orders over 90 d >= ", " ", "a value is missing"),
        ("ordres over 90 d >= 3", "ordres", "did you mean"),
        ("orders over 90 d >= <b>", "&lt;", ""),
        ("x" * 4001, "", "at most 4000"),
    ],
)
def test_the_editor_marks_a_mistake_at_its_place(marketer: TestClient, condition: str, marked: str, says: str) -> None:
    part = marketer.post("/segments/preview", data={"when": condition, "csrf": csrf_of(marketer, "/rules")}).text
    assert f"<mark>{marked}" in part
    assert says in html.unescape(part)


def test_the_editor_counts_the_customers_of_a_condition(world: World, marketer: TestClient) -> None:
    condition = world.reads.context.rules.segments.segments[0].when
    part = marketer.post("/segments/preview", data={"when": condition, "csrf": csrf_of(marketer, "/rules")}).text
    counted = world.reads.preview.count("default", condition)
    assert f'<span class="value">{counted.members}</span>' in part
    assert f"of {counted.profiles} customers" in part


def test_a_dry_run_shows_each_trigger(world: World, marketer: TestClient) -> None:
    part = marketer.post("/triggers/dry-run", data={"csrf": csrf_of(marketer, "/rules")}).text
    assert '<th scope="row">hot lead</th>' in part
    assert f"Of {world.reads.overview.totals('default').customers} customers" in part


def test_proposed_rules_are_compared_and_their_mistakes_are_shown_with_their_lines(
    world: World, marketer: TestClient
) -> None:
    csrf = csrf_of(marketer, "/rules")
    text = "segments:\n  - name: everyone\n    when: last_touch <= 900 d\n"
    page = marketer.post("/rules/compare", data={"csrf": csrf, "file": "segments.yaml", "text": text}).text
    customers = world.reads.overview.totals("default").customers
    assert f'everyone</th><td class="number">-</td><td class="number">{customers}</td>' in page
    wrong = text.replace("last_touch", "last_tuch")
    page = marketer.post("/rules/compare", data={"csrf": csrf, "file": "segments.yaml", "text": wrong}).text
    assert "segments.yaml:3:11" in page
    assert "did you mean" in page


def test_pages_state_what_they_do_not_have(world: World, admin: TestClient) -> None:
    assert "There is no customer" in admin.get("/customers/00000000-0000-5000-8000-000000000000").text
    assert admin.get("/segments/no_such_segment").status_code == 404
    assert admin.get("/leads/none").status_code == 404
    assert admin.get("/nowhere").status_code == 404
    assert (
        "is no cursor" in html.unescape(admin.get("/leads?after=x").text)
        or admin.get("/leads?after=x").status_code == 400
    )


def test_kafka_being_away_is_said_and_nothing_breaks(admin: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.kafka.reading.REQUEST_SECONDS", 0.5)
    answer = admin.get("/quarantine/0:0")
    assert answer.status_code == 503
    assert "Not available now" in answer.text


def _hottest(world: World) -> str:
    return str(world.reads.leads.page("default").items[0]["profile_id"])


def test_the_audit_page_lists_what_the_marketer_saw(world: World, marketer: TestClient, admin: TestClient) -> None:
    marketer.get(f"/customers/{mallory(world)}")
    page = admin.get("/audit").text
    assert "user marketer@shop.example" in page
    assert mallory(world)[:8] in page
    assert list(Path(world.audit).glob("audit-*.jsonl"))


def test_a_lead_is_shown_to_the_customer_that_its_customer_was_merged_into(world: World, marketer: TestClient) -> None:
    moved = [
        (action, found.profile_id)
        for action in world.reads.leads.page("default", limit=200).items
        if (found := world.reads.profiles.find("default", action["profile_id"])) and found.requested_id
    ]
    assert moved
    for action, survivor in moved:
        assert f"/leads/{action['action_id']}" in marketer.get(f"/customers/{survivor}").text


def test_rules_that_changed_on_disk_are_said_to_be_others(world: World, tmp_path: Path) -> None:
    file = tmp_path / "segments.yaml"
    file.write_text("segments: []\n")
    data = RuleData(world.reads, tmp_path)
    assert data.in_force("default").changed == []
    os.utime(file, (1, 1))
    assert data.in_force("default").changed == ["segments.yaml"]


def test_a_closed_console_leaves_no_thread_that_asks_kafka(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with World(tmp_path, ModelRecords(seed=6, people=5, events=40), lambda: NOW_MS) as made:
        operator = made.client("operator@shop.example")
        assert operator.get("/").status_code == 200
        assert operator.get("/sources").status_code == 200
        begun = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("console-")]
        assert begun
    eventually(lambda: not any(thread.is_alive() for thread in begun), "the threads have ended")
