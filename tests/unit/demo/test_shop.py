import time
from collections import Counter

import msgspec
import networkx as nx
import pytest

from pipeline.demo.shop import DAY_MS, ShopDay, shop_day
from pipeline.event.instant import parse_instant
from pipeline.event.model import CHANNELS
from tests.support.waiting import deadline_seconds

END_MS = 1_782_909_000_000


@pytest.fixture(scope="module")
def day() -> ShopDay:
    return shop_day(END_MS)


def sent(event: dict) -> set[str]:
    """The identifiers as they will be normalised."""
    result = {f"{kind}:{value.strip().lower()}" for kind, value in event.get("identifiers", {}).items()}
    result |= {f"user_id:{event['userId']}"} if "userId" in event else set()
    result |= {f"anonymous_id:{event['anonymousId']}"} if "anonymousId" in event else set()
    return {"phone:+" + "".join(filter(str.isdigit, one)) if one.startswith("phone:") else one for one in result}


def test_the_day_has_every_channel_in_order_of_time_and_the_given_length(day):
    times = [parse_instant(event["timestamp"]) for event in day.events]

    assert len(day.events) == 50_000
    assert len(day.people) == 2_000
    assert {event["channel"] for event in day.events} == set(CHANNELS)
    assert times == sorted(times)
    assert times[-1] == END_MS
    assert times[0] >= END_MS - DAY_MS
    assert len({event["messageId"] for event in day.events}) == 50_000


def test_the_same_seed_generates_the_same_day_and_another_seed_another(day):
    again, other = shop_day(END_MS), shop_day(END_MS, seed=8)

    assert msgspec.json.encode(again.events) == msgspec.json.encode(day.events)
    assert msgspec.json.encode(other.events) != msgspec.json.encode(day.events)


def test_a_day_is_generated_in_under_three_seconds():
    began = time.process_time()
    shop_day(END_MS, seed=9)

    assert time.process_time() - began < deadline_seconds(3)


def test_links_join_what_belongs_to_one_person_and_never_two_people(day):
    owner = {ident: person.number for person in day.people for ident in person.identifiers}
    graph = nx.Graph()
    for event in day.events:
        first, *rest = sorted(sent(event))
        graph.add_node(first)
        graph.add_edges_from((first, other) for other in rest)

    groups = list(nx.connected_components(graph))
    owners = [{owner[ident] for ident in group if ident in owner} for group in groups]

    assert all(len(numbers) <= 1 for numbers in owners)
    assert len(day.people) < len(groups) < len(graph) * 0.75
    unknown = {ident for ident in graph if ident not in owner}
    assert all(ident.startswith("click_id:") for ident in unknown)


def test_people_that_log_in_become_one_customer_with_their_browsers(day):
    joined = nx.Graph()
    for event in day.events:
        idents = sorted(sent(event))
        joined.add_edges_from((idents[0], other) for other in idents[1:])

    for person in day.people:
        if person.known:
            assert nx.has_path(joined, f"user_id:{person.user_id}", f"anonymous_id:{person.browsers[0]}")


def test_activity_is_uneven_and_quotes_are_requested_after_noon(day):
    by_browser = Counter(event["anonymousId"] for event in day.events if "anonymousId" in event)
    quotes = [event for event in day.events if event.get("event") == "quote_requested"]

    assert by_browser.most_common(1)[0][1] > 20 * sorted(by_browser.values())[len(by_browser) // 2]
    assert len({event["userId"] for event in quotes}) > 75
    assert all(parse_instant(event["timestamp"]) > END_MS - DAY_MS // 2 for event in quotes)


def test_too_few_events_for_the_people_are_refused():
    with pytest.raises(ValueError, match="at least 60 events"):
        shop_day(END_MS, people=10, events=59)
