"""HubSpot's webhooks journal: how it begins, what it cannot reach, and files, offsets and subscriptions that fail."""

import pytest

from tests.crm.journal_world import JournalWorld
from tests.crm.pull_world import names


@pytest.fixture
def world():
    return JournalWorld()


def test_what_is_older_comes_by_search_and_what_is_newer_by_the_journal(world):
    ann = world.hub.add_by_hand("c1@shop.example", first="Anna")
    assert [event.traits for event in world.pull()] == [{"firstName": "Anna"}]
    world.pass_time(3600)
    world.pull()
    searches = sum(call.endswith("/search") for call in world.hub.calls)
    world.hub.edit_by_hand(ann, phone="+493090182")
    assert [event.traits for event in world.pull()] == [{"phone": "+493090182"}]
    assert sum(call.endswith("/search") for call in world.hub.calls) == searches
    assert world.pull() == []
    assert names(world.topics.events) == []
