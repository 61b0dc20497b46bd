from pipeline.event.anchor import AnchorRow
from pipeline.event.known_links import evict_excess, observe, pass_contested
from pipeline.testing import build

REFRESH_MS = 1000


def seen(at_ms, *others, message_id="m", kind="track"):
    return build.event(
        ("user_id:u", *others), tenant="t", source="s", message_id=message_id, type=kind, name="", timestamp_ms=at_ms
    )


def told(links):
    return [(link.other, link.first_seen_ms, link.last_seen_ms, link.count) for link in links]


def row_of(*events):
    row = AnchorRow()
    for event in events:
        observe(event, row, REFRESH_MS)
    return row


def test_a_new_link_is_passed_with_the_event_that_showed_it():
    (first, second) = observe(seen(50, "email:e", "phone:p"), AnchorRow(), REFRESH_MS)
    assert (first.tenant, first.anchor, first.other, first.event_id) == ("t", "user_id:u", "email:e", "s/m")
    assert (second.other, second.first_seen_ms, second.last_seen_ms, second.count) == ("phone:p", 50, 50, 1)
    assert (first.source, first.asserted) == ("s", False)


def test_a_known_link_is_remembered_and_not_passed():
    row = row_of(seen(50, "email:e"))
    assert observe(seen(50 + REFRESH_MS, "email:e"), row, REFRESH_MS) == []
    link = row.links["email:e"]
    assert (link.first_ms, link.last_ms, link.count, link.passed_last_ms) == (50, 1050, 2, 50)


def test_a_link_seen_long_after_it_was_passed_is_passed_with_all_that_is_known():
    row = row_of(seen(50, "email:e"), seen(60, "email:e"))
    assert told(observe(seen(51 + REFRESH_MS, "email:e"), row, REFRESH_MS)) == [("email:e", 50, 1051, 3)]


def test_a_link_seen_earlier_than_passed_is_passed():
    row = row_of(seen(50, "email:e"))
    assert told(observe(seen(49, "email:e", message_id="late"), row, REFRESH_MS)) == [("email:e", 49, 50, 2)]
    assert observe(seen(49, "email:e"), row, REFRESH_MS) == []


def test_a_contested_link_is_passed_each_time_it_is_seen_later():
    row = row_of(seen(50, "email:e"))
    row.contested = ["email:e"]
    assert told(observe(seen(51, "email:e"), row, REFRESH_MS)) == [("email:e", 50, 51, 2)]
    assert observe(seen(51, "email:e"), row, REFRESH_MS) == []
    assert observe(seen(51, "phone:p"), row, REFRESH_MS) != []


def test_every_alias_of_one_type_is_passed_as_asserted_and_nothing_else_is():
    row = row_of(seen(50, "user_id:v"))
    for other in ("user_id:v", "user_id:v", "user_id:w"):
        (link,) = observe(seen(50, other, kind="alias"), row, REFRESH_MS)
        assert link.asserted
    assert observe(seen(50, "user_id:v"), row, REFRESH_MS) == []
    (link,) = observe(seen(51 + REFRESH_MS, "user_id:v"), row, REFRESH_MS)
    assert not link.asserted


def test_the_alias_of_a_browser_is_evidence_as_any_other():
    (link,) = observe(seen(50, "anonymous_id:a", kind="alias"), AnchorRow(), REFRESH_MS)
    assert not link.asserted


def test_what_became_contested_is_passed_if_it_was_seen_since():
    row = row_of(seen(50, "email:e", "phone:p"), seen(60, "email:e"))
    row.contested = ["email:e", "phone:p", "device_id:unknown"]
    (link,) = pass_contested("t", "user_id:u", row)
    assert (link.other, link.last_seen_ms, link.source, link.event_id) == ("email:e", 60, "", "")
    assert pass_contested("t", "user_id:u", row) == []


def test_the_longest_unseen_links_are_forgotten_after_unsent_sightings_are_passed():
    events = [seen(at_ms, f"device_id:{at_ms:02}") for at_ms in range(20)]
    row = row_of(*events, seen(1, "device_id:00"), seen(30, "device_id:02"))
    result = evict_excess("t", "user_id:u", row, 10)
    assert told(result) == [("device_id:00", 0, 1, 2)]
    assert sorted(row.links) == ["device_id:02", *(f"device_id:{n}" for n in range(12, 20))]
    assert told(observe(seen(3, "device_id:03"), row, REFRESH_MS)) == [("device_id:03", 3, 3, 1)]
