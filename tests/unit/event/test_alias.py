"""Aliases of user ids: kept with the previous id until that id is seen itself."""

from pipeline.event.alias import alias_link, alias_links, note_alias, previous_user
from pipeline.event.known_links import AnchorRow
from pipeline.testing.build import event

OLD = "user_id:old"


def alias(number: int, user: str = "user_id:new", **fields: object) -> object:
    usual = {
        "type": "alias",
        "name": "",
        "message_id": f"m{number}",
        "timestamp_ms": number,
        "context": {"previousId": "old"},
    }
    return event([user], **(usual | fields))


def test_only_an_alias_of_another_id_names_a_previous_user() -> None:
    assert previous_user(alias(1)) == OLD
    assert previous_user(alias(1, type="identify")) == ""
    assert previous_user(alias(1, context={})) == ""
    assert previous_user(alias(1, OLD)) == ""


def test_an_alias_asserts_one_link_from_the_previous_user() -> None:
    link = alias_link(alias(7), OLD, 3)
    assert (link.anchor, link.other, link.first_seen_ms, link.count) == (OLD, "user_id:new", 7, 1)
    assert (link.asserted, link.anchor_first_ms) == (True, 3)


def test_aliases_wait_in_the_row_until_the_previous_user_is_seen() -> None:
    row = AnchorRow()
    for number in (5, 9, 2):
        note_alias(row, alias(number), 10)
    assert alias_links("default", OLD, row) == []
    row.note(4)
    (link,) = alias_links("default", OLD, row)
    assert (link.first_seen_ms, link.last_seen_ms, link.count, link.event_id) == (2, 9, 3, "shop/m9")
    assert (link.asserted, link.anchor_first_ms) == (True, 4)


def test_beyond_the_cap_the_oldest_alias_is_forgotten() -> None:
    row = AnchorRow()
    for number, user in ((3, "user_id:c"), (1, "user_id:a"), (2, "user_id:b")):
        note_alias(row, alias(number, user), 2)
    assert set(row.aliases) == {"user_id:b", "user_id:c"}
