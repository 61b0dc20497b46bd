"""``alias`` joins two user ids, or a user id with a browser, whichever the previous id is; in every order of events."""

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from pipeline.testing.build import event_json
from tests.support.customers import customers, resolved
from tests.support.simulated import Story

ALIAS = event_json(2, "", type="alias", userId="new", previousId="old")
OLD, NEW = event_json(0, userId="old"), event_json(9, userId="new")
MAIL = event_json(1, "", type="identify", userId="old", traits={"email": "ann@shop.example"})


def user_ids(groups: list[list[str]]) -> list[list[str]]:
    """The user ids of every customer that has one."""
    of_users = [[ident for ident in group if ident.startswith("user_id:")] for group in groups]
    return sorted(filter(None, of_users))


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
def test_an_alias_joins_the_old_user_id_with_the_new_one_in_every_order(order: tuple[int, ...], tmp_path: Path) -> None:
    events = [(OLD, ALIAS, NEW)[place] for place in order]
    joined = [["user_id:new", "user_id:old"]]
    assert user_ids(resolved(tmp_path, events)) == joined
    assert user_ids(customers(Story().tell(*events))) == joined
    assert user_ids(customers(Story().one_by_one(events))) == joined


def test_an_old_user_id_brings_its_identifiers_along(tmp_path: Path) -> None:
    wanted = [["anonymous_id:old", "email:ann@shop.example", "user_id:new", "user_id:old"]]
    for events in ([MAIL, ALIAS], [ALIAS, MAIL]):
        assert resolved(tmp_path, events) == customers(Story().one_by_one(events)) == wanted


def test_an_id_that_no_event_had_as_a_user_is_a_browser(tmp_path: Path) -> None:
    browsing = event_json(0, anonymousId="old")
    for events in ([browsing, ALIAS], [ALIAS, browsing]):
        assert resolved(tmp_path, events) == [["anonymous_id:old", "user_id:new"]]
        assert customers(Story().one_by_one(events)) == [["anonymous_id:old", "user_id:new"]]


def test_two_sign_ups_in_one_browser_with_an_alias_each_are_two_customers(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [event_json(0, anonymousId="a1")]
    for n, name in enumerate(("ann", "bob")):
        events.append(event_json(10 * n + 1, "", type="alias", userId=name, previousId="a1"))
        events.append(event_json(10 * n + 2, "", type="identify", userId=name, anonymousId="a1"))
    wanted = [["anonymous_id:a1", "user_id:bob"], ["user_id:ann"]]
    assert resolved(tmp_path, events) == customers(Story().one_by_one(events)) == wanted


def test_an_alias_of_both_sides_alike_after_an_identify_does_nothing(tmp_path: Path) -> None:
    identify = event_json(0, "", type="identify", userId="u", anonymousId="a1")
    alias = event_json(1, "", type="alias", userId="u", previousId="u")
    for events in ([identify, alias], [alias, identify]):
        assert resolved(tmp_path, events) == customers(Story().tell(*events)) == [["anonymous_id:a1", "user_id:u"]]
