"""Accounts, aliases of user ids and repeated orders on a real broker, over several partitions."""

import os
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from pipeline.kafka.snapshot import read_compacted
from pipeline.local.broker import Broker
from pipeline.query.profiles import LATEST, export_profiles, profile_rows
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.testing.build import event_json
from pipeline.topics import CHANGELOGS
from tests.integration.small_deployment import PARTITIONS, Deployment

pytestmark = pytest.mark.kafka

event = partial(event_json, start_ms=time.time_ns() // 1_000_000 - 86_400_000)
MAIL = {"email": "ann@shop.example"}


def order(number: int, **who: Any) -> dict[str, Any]:
    return event(number, "order_completed", properties={"order_id": "o1", "revenue": 100, "currency": "EUR"}, **who)


EVENTS = [
    event(1, userId="old"),
    event(2, type="alias", userId="new", previousId="old"),
    event(3, type="group", userId="old", groupId="acme", traits={"plan": "trial"}),
    event(4, type="group", userId="bob", groupId="acme", traits={"plan": "gold"}),
    order(5, anonymousId="a1"),
    order(6, identifiers=MAIL, channel="pos"),
    event(7, type="identify", anonymousId="a1", traits=MAIL),
]


@pytest.fixture(scope="module")
def deployment(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The events, processed: three customers with seven touches."""
    with Deployment(kafka.bootstrap_servers, f"t{os.getpid()}-identity", tmp_path_factory.mktemp("home")) as made:
        made.ingest(EVENTS)
        worker = made.start_worker()

        def settled() -> bool | None:
            topic = CHANGELOGS["profile"].of(made.settings.topic_prefix)
            rows = profile_rows(read_compacted(made.settings.kafka(), topic, range(PARTITIONS)).rows)
            views = list(export_profiles(rows, compiled(load_rules()), LATEST))
            current = [view for view in views if not view["merged_into"]]
            return (len(current) == 3 and sum(view["touches"] for view in current) == 7) or None

        made.until(settled, "three customers with seven touches")
        made.end_worker(worker)
        yield made


def test_an_alias_joins_user_ids_of_two_partitions(deployment: Deployment) -> None:
    shown = deployment.json("profile", "show", "user_id:new")
    assert {"user_id:new", "user_id:old"} <= shown["identifiers"].keys()


def test_an_account_is_shown_over_its_members(deployment: Deployment) -> None:
    shown = deployment.json("account", "show", "acme")
    assert (shown["traits"]["plan"]["value"], len(shown["profile_ids"])) == ("gold", 2)


def test_an_order_under_two_anchors_is_one_order(deployment: Deployment) -> None:
    aggregates = deployment.json("profile", "show", "email:ann@shop.example")["aggregates"]
    assert (aggregates["orders"]["lifetime"], aggregates["spent"]["lifetime"]) == (1, {"EUR": 10_000})
