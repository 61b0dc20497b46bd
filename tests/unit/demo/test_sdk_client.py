"""The day's web and app events through Segment's SDK and over HTTP into a collector: the same events arrive."""

import time
from collections.abc import Callable

import httpx2
import pytest

from pipeline.demo.sdk_client import SdkClient
from pipeline.demo.shop import shop_day
from pipeline.event.instant import parse_instant
from tests.support.collecting import KEY, NOW_MS, Door, shop
from tests.support.crm_server import served
from tests.support.waiting import deadline_seconds, eventually

DAY = shop_day(NOW_MS, people=30, events=600)


class Listener:
    """A collector in memory, as a socket serves it. ``refuse`` returns the status of a refusal, or 0."""

    def __init__(self, door: Door, refuse: Callable[[], int] = lambda: 0) -> None:
        self._door, self._refuse = door, refuse

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._answer)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if status := self._refuse():
            return httpx2.Response(status, content=b"{}")
        reply = self._door.send(request.method, request.url.path, request.content, request.headers, key=None)
        return httpx2.Response(reply.status, content=reply.body)


def identifiers_of(event: dict) -> set[str]:
    """The identifiers as they will be normalised."""
    result = {f"{kind}:{value.strip().lower()}" for kind, value in event.get("identifiers", {}).items()}
    result |= {f"user_id:{event['userId']}"} if "userId" in event else set()
    return result | ({f"anonymous_id:{event['anonymousId']}"} if "anonymousId" in event else set())


@pytest.mark.parametrize("channel", ["web", "app"])
def test_every_event_arrives_as_the_day_has_it(channel):
    events = [event for event in DAY.events if event["channel"] == channel]
    door, given_up = Door(shop(channel=channel)), []
    with served(Listener(door)) as url:
        client = SdkClient(KEY, url, given_up.append)
        for event in events:
            client.send(event, lambda: None)
        client.wait(lambda: None)
        client.close()

    arrived = door.kept.events
    assert given_up == []
    assert door.kept.quarantined == []
    assert [event.message_id for event in arrived] == [event["messageId"] for event in events]
    for event, sent in zip(arrived, events, strict=True):
        assert (event.type, event.name) == (sent["type"], sent.get("event", ""))
        assert {*event.identifiers} == identifiers_of(sent)
        assert event.properties.items() >= sent.get("properties", {}).items()
        assert event.traits.keys() == sent.get("traits", {}).keys()


def test_the_corrected_time_keeps_each_events_age():
    event = DAY.events[0] | {"channel": "web"}
    door = Door(shop())
    door.now_ms = int(time.time() * 1000)
    with served(Listener(door)) as url:
        client = SdkClient(KEY, url, lambda _: None)
        client.send(event, lambda: None)
        client.wait(lambda: None)
        client.close()

    off_ms = door.kept.events[0].timestamp_ms - parse_instant(event["timestamp"])
    assert -1000 * deadline_seconds() < off_ms <= 0


def test_a_refused_batch_is_sent_again_and_one_that_is_lost_is_reported():
    event = next(event for event in DAY.events if event["channel"] == "web")
    door, given_up, statuses = Door(shop()), [], [503, 500]
    with served(Listener(door, lambda: statuses.pop() if statuses else 0)) as url:
        client = SdkClient(KEY, url, given_up.append)
        client.send(event, lambda: None)
        client.wait(lambda: None)
        assert [one.message_id for one in door.kept.events] == [event["messageId"]]
        assert given_up == []

        statuses.append(401)
        client.send(event, lambda: None)
        client.wait(lambda: None)
        client.close()

    eventually(lambda: given_up, "the SDK reports the lost batch")
    assert "401" in given_up[0]
    assert len(door.kept.events) == 1
