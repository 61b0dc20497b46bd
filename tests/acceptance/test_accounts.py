"""An account has a record of its own, which all members share, and never identifies one. ``simulate`` and on Kafka."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.query.accounts import account_view, accounts
from pipeline.testing.build import event_json
from tests.support.as_sent import simulate
from tests.support.simulated import Story, decision


def group(number: int, who: dict[str, Any], account: str = "acme", **traits: Any) -> dict[str, Any]:
    return event_json(number, "", type="group", groupId=account, traits=traits, **who)


ANN, BOB = {"userId": "ann"}, {"userId": "bob", "anonymousId": "b1"}
CALLS = [
    group(1, ANN, name="Acme", plan="trial", email="office@acme.example"),
    group(2, BOB, name="Acme Inc."),
    group(3, ANN, plan="gold"),
    group(4, ANN, "other", name="Other"),
]


def written(folder: Path) -> dict[str, Any]:
    lines = (folder / "out" / "accounts.ndjson").read_bytes().splitlines()
    return {account["account_id"]: account for account in map(json.loads, lines)}


def values(account: dict[str, Any]) -> dict[str, Any]:
    return {name: trait["value"] for name, trait in account["traits"].items()}


@pytest.mark.parametrize("order", [CALLS, CALLS[::-1]], ids=["in order", "backwards"])
def test_an_account_has_the_newest_value_of_each_trait_of_all_members(tmp_path: Path, order: list[Any]) -> None:
    outcome = simulate(tmp_path, order)
    acme, other = written(tmp_path)["acme"], written(tmp_path)["other"]
    assert values(acme) == {"name": "Acme Inc.", "plan": "gold", "email": "office@acme.example"}
    assert values(other) == {"name": "Other"}
    assert acme["traits"]["name"]["event_id"] == "web/m2"
    members = {profile["profile_id"]: profile for profile in outcome.profiles}
    assert set(acme["profile_ids"]) == members.keys()
    assert not any(profile["traits"] for profile in members.values())
    assert not any("email:office@acme.example" in profile["identifiers"] for profile in members.values())


def test_a_member_without_traits_is_a_member(tmp_path: Path) -> None:
    simulate(tmp_path, [CALLS[0], event_json(5, context={"groupId": "acme"}, **BOB), group(6, BOB)])
    assert len(written(tmp_path)["acme"]["profile_ids"]) == 2


def test_a_call_that_names_the_account_alone_states_its_traits_and_is_no_member(tmp_path: Path) -> None:
    simulate(tmp_path, [CALLS[0], group(7, {}, plan="gold")])
    acme = written(tmp_path)["acme"]
    assert (values(acme)["plan"], len(acme["profile_ids"])) == ("gold", 1)


def test_an_account_is_the_same_after_members_are_merged_and_separated() -> None:
    def shown(story: Story) -> list[Any]:
        return [{**account_view(item), "profile_ids": None} for item in accounts(story.simulation.profiles())]

    story = Story().one_by_one(CALLS)
    before, members = shown(story), len(accounts(story.simulation.profiles())[0].profile_ids)
    story.tell(decision("link", "user_id:ann", "user_id:bob"))
    assert (shown(story), len(accounts(story.simulation.profiles())[0].profile_ids)) == (before, members - 1)
    story.tell(decision("unlink", "user_id:ann", "user_id:bob"))
    assert (shown(story), len(accounts(story.simulation.profiles())[0].profile_ids)) == (before, members)


def test_a_tenants_account_is_not_another_tenants() -> None:
    story = Story().tell(CALLS[0] | {"tenant": "one"}, CALLS[1] | {"tenant": "two"})
    views = [account_view(item) for item in accounts(story.simulation.profiles())]
    assert [(view["tenant"], values(view)["name"]) for view in views] == [("one", "Acme"), ("two", "Acme Inc.")]
    assert msgspec.json.encode(views)
