"""A customer's graph: what is in it, as GraphML and as a picture that is the same every time."""

import io
from xml.etree import ElementTree as ET

import networkx as nx
import pytest

from pipeline.export.drawing import draw
from pipeline.identity.decisions import decide
from pipeline.identity.messages import Command, Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import Resolution, resolve
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.query.graph import Graph, customer_graph, write_graphml
from pipeline.rules.load import load_rules
from pipeline.testing.build import link

SVG = "{http://www.w3.org/2000/svg}"
BOOK = IdentityPolicy(load_rules().identity)
ADA, PHONE, KIOSK = "email:ada@shop.example", "device_id:phone", "anonymous_id:kiosk"


def seen(a: str, b: str, at_ms: int) -> Link:
    return link(a, b, at_ms, last_seen_ms=at_ms + 5, count=2, event_id=f"web/{at_ms}")


def resolution(extra: list[Link] | None = None) -> Resolution:
    links = [
        seen("user_id:1", ADA, 10), seen("user_id:1", PHONE, 20), seen("user_id:2", PHONE, 15),
        seen(ADA, "loyalty_id:<&>'\"", 30), *(seen(f"user_id:{at}", KIOSK, 40 + at) for at in range(1, 14)),
        *(extra or []),
    ]  # fmt: skip
    output = [Command("default", "link", "user_id:1", "phone:+491511234567", "ann", "her card", 50, "decision/1")]
    return resolve(links, BOOK, decide(output, BOOK))


def graph(ident: str = ADA) -> Graph:
    return customer_graph("default", ident, resolution())


def test_the_graph_contains_members_links_and_rejected_links():
    result = graph()

    assert {ident for ident, node in result.nodes(data=True) if node["member"]} == {
        "user_id:1", ADA, PHONE, "loyalty_id:<&>'\"", "phone:+491511234567",
    }  # fmt: skip
    assert {ident for ident, node in result.nodes(data=True) if not node["member"]} == {"user_id:2", KIOSK}
    assert result.edges["user_id:2", PHONE]["rule"] == "user_id: 1 ever"
    assert result.edges["user_id:1", KIOSK]["rejected"] == "firebreak"
    assert result.edges["user_id:1", "phone:+491511234567"]["asserted"]
    assert result.edges["user_id:1", ADA]["rejected"] == ""
    assert result.graph["profile_id"] == profile_id("default", ADA)


def test_graphml_holds_the_same_graph():
    file = io.BytesIO()
    write_graphml(file, graph())
    read = nx.read_graphml(io.BytesIO(file.getvalue()))

    assert dict(read.nodes(data=True)) == dict(graph().nodes(data=True))
    assert {frozenset(edge) for edge in read.edges} == {frozenset(edge) for edge in graph().edges}
    assert read.edges["user_id:1", PHONE]["count"] == 2


def test_the_picture_is_the_same_however_the_links_came():
    assert draw(graph(), BOOK) == draw(customer_graph("default", ADA, resolution([seen("user_id:1", ADA, 10)])), BOOK)


def test_rejected_links_are_dashed_and_the_founder_has_a_ring():
    root = ET.fromstring(draw(graph(), BOOK))
    lines = [line for line in root.iter(f"{SVG}line") if line.find(f"{SVG}title") is not None]

    assert len(lines) == graph().number_of_edges()
    assert sum("stroke-dasharray" in line.attrib for line in lines) == 2
    assert sum(circle.get("r") == "14.5" for circle in root.iter(f"{SVG}circle")) == 1
    texts = {text.text for text in root.iter(f"{SVG}text")}
    assert {"user_id: 1 ever", "firebreak", "loyalty_id", "<&>'\"", "rejected"} <= texts
    assert f"Customer {profile_id('default', ADA)}" in texts


@pytest.mark.parametrize("size", [1, 2, 12, 120])
def test_no_label_covers_another_or_leaves_the_page(size):
    links = [seen("user_id:9", f"anonymous_id:{at:032x}", at) for at in range(size - 1)]
    wide = IdentityPolicy(BOOK.rules.__class__(types=[]))
    result = customer_graph("default", "user_id:9", resolve(links, wide))
    root = ET.fromstring(draw(result, BOOK))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    boxes = [
        (float(text.get("x", 0)), float(text.get("y", 0)), len(text.text or "") * 6.3)
        for group in root.iter(f"{SVG}g") for text in group.iter(f"{SVG}text")
    ]  # fmt: skip

    assert len(boxes) == size
    assert all(wide_px / 2 <= x <= width - wide_px / 2 and 74 < y < height for x, y, wide_px in boxes)
    for at, (x, y, wide_px) in enumerate(boxes):
        for other_x, other_y, other_px in boxes[at + 1 :]:
            assert abs(x - other_x) >= (wide_px + other_px) / 2 or abs(y - other_y) >= 20


def test_a_long_value_keeps_both_its_ends():
    long = "anonymous_id:3f1c9a70-5a0b-4e0e-9b58-3f4b6b9f2c11"
    picture = draw(customer_graph("default", "user_id:9", resolve([seen("user_id:9", long, 1)], BOOK)), BOOK)

    assert ">3f1c9a70-5a0…-3f4b6b9f2c11<" in picture
    assert long in picture


HOME = "account_id:A-7"
SHARING = IdentityPolicy(
    IdentityRules(
        types=[IdentityType(name="user_id", priority=1), IdentityType(name="account_id", priority=9, household=True)]
    )
)


@pytest.mark.parametrize(("asked", "heading"), [("user_id:1", "Customer"), (HOME, "Household")])
def test_a_shared_identifier_is_a_square_with_dotted_lines_and_no_rejected_link(asked: str, heading: str):
    sharing = resolve([seen("user_id:1", HOME, 1), seen("user_id:2", HOME, 2)], SHARING)
    result = customer_graph("default", asked, sharing)
    root = ET.fromstring(draw(result, SHARING))
    dashes = {line.get("stroke-dasharray") for line in root.iter(f"{SVG}line")}
    texts = {text.text for text in root.iter(f"{SVG}text")}
    squares = [rect for rect in root.iter(f"{SVG}rect") if rect.get("width") == "20.0"]

    assert (dashes, len(squares)) == ({"1 5"}, 1)
    assert result.nodes[HOME]["isolated"] == "household"
    assert {f"{heading} {result.graph['profile_id']}", "shared", "household"} <= texts
    assert "rejected" not in texts
    assert result.number_of_edges() == (1 if asked != HOME else 2)
