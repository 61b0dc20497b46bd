"""What HubSpot's webhooks journal cannot give: each gap is reported, searched, and left behind."""

import pytest

from tests.crm.journal_world import JournalWorld
from tests.crm.pull_world import names
from tests.support.crm_log import Stop

DAY = 86_400
STREAMS = 1 + 3 + 3 + 5
"""The journal; three types of object, searched and listed as archived; five types of activity."""


@pytest.fixture
def world():
    """A world whose journal is read, with one entry, and whose backfill is over."""
    world = JournalWorld()
    world.ann, world.ben = (world.hub.add_by_hand(f"c{number}@shop.example", first="x") for number in (1, 2))
    world.pull()
    world.pass_time(3600)
    world.hub.edit_by_hand(world.ann, first="Anna")
    world.pull()
    world.hub.calls.clear()
    return world


def opened(world):
    puller = world.open()
    puller.start()
    return puller


def test_a_puller_that_was_away_for_too_long_reports_the_gap_and_searches_it(world):
    world.pass_time(4 * DAY)
    world.hub.edit_by_hand(world.ann, first="Ann")
    world.hub.remove("contacts", world.ben)
    world.hub.publish()
    world.pass_time(4 * DAY)
    world.hub.edit_by_hand(world.ann, phone="+491")
    puller = opened(world)
    states = []
    read = puller._reader.changes

    def noting(stream, cursor):
        states.append([*puller.not_ready()])
        return read(stream, cursor)

    puller._reader.changes = noting
    world.pass_time(60)
    assert puller.step(Stop(world.clock))
    assert any("backfill-contacts again: it was read 8.0 days ago" in one for state in states for one in state)
    assert puller.not_ready() == []
    assert puller.counts.gaps == STREAMS
    assert sorted(names(world.topics.take())) == ["Contact Deleted", "identify"]
    page = world.metrics.expose()[0].decode()
    assert 'stitchline_crm_gaps_total{connection="hub",stream="journal"} 1.0' in page
    assert world.pull() == []
    assert world.puller.counts.gaps == 0
    world.hub.edit_by_hand(world.ann, first="Anne")
    assert names(world.pull()) == ["identify"]


def test_the_search_of_a_gap_goes_no_further_back_than_the_gap(world):
    world.pass_time(4 * DAY)
    starts = []
    answer = world.hub.answer

    def noting(request, fault):
        if request.url.path.endswith("/search"):
            starts.append(int(request.content.split(b'"GTE","value":"')[1].split(b'"')[0]))
        return answer(request, fault)

    world.hub.answer = noting
    world.pull()
    assert min(starts) >= world.clock() - (4 * DAY + 60 + 60 + 15 * 60) * 1000


def test_an_account_without_changes_for_days_has_no_gap(world):
    for _ in range(10):
        world.pass_time(DAY)
        assert world.pull() == []
        assert world.puller.counts.gaps == 0
    world.hub.edit_by_hand(world.ann, first="Ann")
    assert names(world.pull()) == ["identify"]


@pytest.mark.parametrize("after", [60, 2 * DAY])
def test_an_offset_that_is_refused_too_early_is_a_gap_without_a_busy_loop(world, after):
    world.pass_time(after)
    world.hub.edit_by_hand(world.ann, first="Ann")
    world.hub.entries.clear()  # HubSpot has lost them
    world.hub.pending.clear()
    assert names(world.pull()) == ["identify"]
    assert world.puller.counts.gaps > 0
    assert len(world.hub.calls) < 60


def test_entries_that_expire_a_little_early_are_a_gap(world):
    world.hub.edit_by_hand(world.ann, first="Ann")
    world.hub.publish()
    world.pass_time(3 * DAY - 600)
    world.hub.entries.clear()  # HubSpot has dropped them ten minutes before their time
    assert names(world.pull()) == ["identify"]
    assert world.puller.counts.gaps > 0


def test_an_api_that_refuses_every_offset_is_reported_at_every_second_poll(world):
    world.hub.edit_by_hand(world.ann, first="Ann")
    journal = world.hub._journal
    forgetful = []

    def forgets(request):
        if "/offset/" in request.url.path:
            forgetful.append(request)
            world.hub.entries = [one._replace(offset=f"{one.offset}-x") for one in world.hub.entries]
        return journal(request)

    world.hub._journal = forgets
    puller = opened(world)
    for _ in range(12):
        world.pass_time(60)
        puller.step(Stop(world.clock))
    gaps = (
        world.metrics.expose()[0].decode().split('crm_gaps_total{connection="hub",stream="journal"} ')[1].split("\n")[0]
    )
    assert float(gaps) >= 3
    assert len(forgetful) <= 24
    assert names(world.topics.take()) == ["identify"]


def test_a_file_that_is_not_understood_is_skipped_after_three_tries_and_searched(world):
    world.hub.edit_by_hand(world.ann, first="Ann")
    world.hub.publish()
    world.hub.unreadable.add(world.hub.entries[-1].offset)
    world.hub.edit_by_hand(world.ben, first="Ben")
    puller = opened(world)
    for _ in range(2):
        world.pass_time(600)
        assert not puller.step(Stop(world.clock))
        assert "is not understood" in puller.not_ready()[-1]
        assert world.topics.take() == []
    world.pass_time(600)
    assert puller.step(Stop(world.clock))
    assert sorted(event.traits["firstName"] for event in world.topics.take()) == ["Ann", "Ben"]
    assert puller.counts.gaps > 0


@pytest.mark.parametrize(
    "shape",
    [
        "text", {}, {"action": "MERGE"}, {"objectTypeId": "0-1"}, {"objectTypeId": "0-1", "objectId": "x"},
        {"objectTypeId": 1, "objectId": 1, "action": "UPDATE"},
        {"objectTypeId": "0-1", "objectId": 1, "mergedObjectIds": [None]},
    ],
)  # fmt: skip
def test_an_event_of_an_unknown_shape_is_a_gap_and_the_events_beside_it_are_read(world, shape):
    world.hub.edit_by_hand(world.ann, first="Ann")
    world.hub.pending.clear()  # what the unknown event was about
    world.hub.edit_by_hand(world.ben, first="Ben")
    world.hub.pending.append(shape)
    assert sorted(event.traits["firstName"] for event in world.pull()) == ["Ann", "Ben"]
    assert world.puller.counts.gaps == STREAMS
    assert world.pull() == []


def test_a_subscription_that_was_away_is_a_gap(world):
    subscriptions, world.hub.subscriptions = world.hub.subscriptions, []
    world.hub.edit_by_hand(world.ann, first="Ann")
    world.pass_time(600)
    world.subscribe()
    assert len(world.hub.subscriptions) == len(subscriptions)
    assert names(world.pull()) == ["identify"]
    assert world.puller.counts.gaps > 0
    assert world.pull() == []
    assert world.puller.counts.gaps == 0


def test_an_object_that_waits_outlives_a_gap(world):
    """Its association is no change of its own, so that no search would find it again."""
    deal = world.hub.put("deals", dealname="Rollout", dealstage="new")
    world.pass_time(60)
    puller = opened(world)
    puller.step(Stop(world.clock))
    world.hub.others["deals"][deal]["hs_lastmodifieddate"] = str(world.clock())  # a property that is not read
    world.hub.link("deals", deal, "contacts", world.ann)
    puller.step(Stop(world.clock))
    assert world.topics.take() == []
    world.hub.others["deals"][deal]["hs_lastmodifieddate"] = str(world.clock() - 3_600_000)
    world.hub.entries.clear()
    world.hub.subscriptions[0]["updatedAt"] = "2100-01-01T00:00:00Z"
    world.pass_time(7200)
    puller.step(Stop(world.clock))
    world.pass_time(60)
    puller.step(Stop(world.clock))
    assert puller.counts.gaps > 0
    assert names(world.topics.take()) == ["Deal Created"]


def test_a_gap_before_the_first_backfill_has_begun_keeps_all_of_it():
    world = JournalWorld()
    world.hub.put("contacts", at_ms=world.clock() - 20 * DAY * 1000, email="old@shop.example", firstname="Old")
    world.hub.pending.clear()
    puller = opened(world)
    world.pass_time(60)
    assert puller._pull("journal")
    world.hub.pending.append({})
    puller = opened(world)
    while puller._pull("journal"):
        pass
    assert puller.counts.gaps == 1
    assert puller.step(Stop(world.clock))
    assert [event.traits["firstName"] for event in world.topics.take()] == ["Old"]
