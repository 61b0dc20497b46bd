"""Lists of accounts and households, and one account, on both databases, compared with the events that made them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.serve.model.store import Store
from pipeline.serve.read.pages import CursorError
from pipeline.serve.read.reads import Reads
from tests.support.console import NOW_MS, World
from tests.support.databases import KINDS, empty_database
from tests.support.model_records import END_MS, ModelRecords
from tests.unit.serve.conftest import filled

MEMBERS = {"acme": {"ann", "bob", "cid"}, "b/eta ~ü": {"bob"}, "Zeta": {"dan"}}
SPENT = {"ann": 1250, "bob": 700, "dan": 99}
ALONE = "solo"
"""Named by a call of no customer: it has traits and no member."""
IN_ORDER = ["Zeta", "acme", "b/eta ~ü", "solo"]
"""By bytes, on both databases."""


def events() -> list[dict[str, Any]]:
    groups = [
        {"type": "group", "userId": user, "groupId": account, "traits": {"name": f"{account} Inc.", "seats": 12}}
        for account, users in MEMBERS.items()
        for user in sorted(users)
    ]
    orders = [
        {"type": "track", "event": "order_completed", "userId": user,
         "properties": {"order_id": f"o-{user}", "total": spent / 100, "revenue": spent / 100, "currency": "EUR"}}
        for user, spent in SPENT.items()
    ]  # fmt: skip
    other = {"type": "group", "userId": "eve", "groupId": "foreign", "tenant": "other"}
    alone = [{"type": "group", "groupId": name, "traits": {"plan": "gold"}} for name in (ALONE, "acme")]
    return [
        {"channel": "web", "messageId": f"account-{number}", "timestamp": END_MS + number, **event}
        for number, event in enumerate([*groups, *orders, other, *alone])
    ]


@pytest.fixture(scope="module")
def records() -> ModelRecords:
    made = ModelRecords(seed=3, people=6, events=60)
    made.tell(*events())
    return made


@pytest.fixture(scope="module", params=KINDS)
def opened(request: pytest.FixtureRequest, records: ModelRecords, tmp_path_factory) -> Iterator[Store]:
    store = filled(empty_database(request.param, request, tmp_path_factory.mktemp(request.param)), records)
    yield store
    store.close()


@pytest.fixture(scope="module")
def reads(opened: Store, records: ModelRecords) -> Reads:
    return Reads(opened, records.rules, lambda: NOW_MS)


def test_accounts_are_listed_by_id_with_their_members_in_pages_of_any_size(reads: Reads) -> None:
    whole = reads.accounts.page("default").items
    assert [(item["account_id"], item["members"]) for item in whole] == [
        (name, len(MEMBERS.get(name, ()))) for name in IN_ORDER
    ]
    for limit in (1, 2, 3, 4):
        items, cursor = [], ""
        while True:
            page = reads.accounts.page("default", limit=limit, cursor=cursor)
            assert len(page.items) <= limit
            items += page.items
            cursor = page.next
            if not cursor:
                break
        assert items == whole
    assert [item["account_id"] for item in reads.accounts.page("other").items] == ["foreign"]


def test_an_account_has_its_members_and_their_sums(reads: Reads) -> None:
    for name, users in MEMBERS.items():
        view = reads.accounts.one("default", name)
        found = {user: reads.profiles.find("default", f"user_id:{user}").profile_id for user in users}
        assert set(view["profile_ids"]) == set(found.values())
        assert view["totals"]["spent.EUR"] == sum(SPENT.get(user, 0) for user in users)
        assert view["totals"]["orders"] == len(users & SPENT.keys())
        lines = reads.accounts.members("default", name, 50)
        assert {line["profile_id"] for line in lines} == set(found.values())
        assert len(reads.accounts.members("default", name, 1)) == 1
    alone = reads.accounts.one("default", ALONE)
    assert (alone["profile_ids"], alone["totals"], alone["traits"]["plan"]["value"]) == ([], {}, "gold")
    assert reads.accounts.one("default", "foreign") is None


def test_households_are_the_accounts_that_customers_share_in_pages_of_any_size(reads: Reads) -> None:
    whole = reads.households.page("default").items
    expected = {f"account_id:{name}": {f"user_id:{user}" for user in users} for name, users in MEMBERS.items()}
    found = {item["shared"]: {member["founder"] for member in item["members"]} for item in whole}
    assert {shared: founders for shared, founders in found.items() if founders} == expected
    assert [item["shared"] for item in whole] == sorted(found)
    for limit in (1, 2):
        items, page = [], reads.households.page("default", limit=limit)
        while True:
            items += page.items
            if not page.next:
                break
            page = reads.households.page("default", limit=limit, cursor=page.next)
        assert items == whole
    assert [item["shared"] for item in reads.households.page("other").items] == ["account_id:foreign"]


@pytest.mark.parametrize("cursor", ["x", "text", "text~", "~acme", "12~acme"])
def test_a_foreign_cursor_is_refused(reads: Reads, cursor: str) -> None:
    for lists in (reads.accounts, reads.households):
        with pytest.raises(CursorError):
            lists.page("default", cursor=cursor)


def test_the_pages_show_them_to_those_who_see_personal_data(records: ModelRecords, tmp_path: Path) -> None:
    world = World(tmp_path, records, lambda: NOW_MS)
    marketer, viewer = world.client("marketer@shop.example"), world.client("viewer@shop.example")
    page = marketer.get("/accounts").text
    assert 'href="/accounts/members?account=b/eta%20~%C3%BC"' in page
    one = marketer.get("/accounts/members", params={"account": "acme"})
    assert one.status_code == 200
    assert "3 members" in one.text
    assert "19.50 EUR" in one.text
    assert "acme Inc." in one.text
    assert marketer.get("/accounts/members?account=foreign").status_code == 404
    shared = marketer.get("/households").text
    assert all(name in shared for name in ("acme", "Zeta", "ann", "dan"))
    for path in ("/accounts", "/households"):
        hidden = viewer.get(path).text
        assert not any(name in hidden for name in ("acme", "Zeta", "solo", ">ann<", ">dan<")), path
    assert viewer.get("/accounts/members?account=acme").status_code == 403
