"""``stitchline crm sink`` and ``crm resync`` keep segments and scores up to date on the real broker."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Encoder
from pipeline.kafka.reading import Reading, partitions_of
from pipeline.local.broker import Broker
from pipeline.topics import LEDGER, UPDATES
from tests.crm.hubspot_emulator import HubSpot
from tests.crm.world import action, profile
from tests.integration.test_crm_sink import Shop
from tests.support.crm_server import served
from tests.support.waiting import deadline_seconds, eventually

pytestmark = pytest.mark.kafka

SYNC = """
    sync:
      every_seconds: 0
      fields:
        - {to: in_vip, value: segment.big_spenders}
        - {to: warmth, value: score.engagement, decimals: 0}
"""


class SyncShop(Shop):
    """A deployment whose CRM follows profiles."""

    def __init__(self, kafka: Broker, prefix: str, folder: Path, url: str, crm: HubSpot) -> None:
        super().__init__(kafka, prefix, folder, url, crm)
        rules = folder / "rules" / "crm.yaml"
        rules.write_text(rules.read_text(encoding="utf-8").rstrip() + SYNC, encoding="utf-8")
        admin = AdminClient({"bootstrap.servers": self.servers})
        for created in admin.create_topics([NewTopic(UPDATES.of(prefix), 4, 1)]).values():
            created.result(deadline_seconds())
        self._update = Encoder(UPDATES.value, schema_ids("").id_of(UPDATES.of(prefix), UPDATES.value))
        self._versions: dict[str, int] = {}

    def publish(self, name: str, **fields: Any) -> None:
        """Publishes a profile; ``status=None`` is a tombstone."""
        self._versions[name] = self._versions.get(name, 0) + 1
        update = profile(name, self._versions[name], **fields)
        value = None if update["status"] is None else self._update(update)
        self._producer.produce(UPDATES.of(self.prefix), value, name)
        self._producer.flush()

    def held(self, number: int) -> dict[str, str]:
        for contact in self.crm.objects["contacts"].values():
            if contact.get("stitchline_action") == f"{number:032x}":
                return {name: contact.get(name, "") for name in ("in_vip", "warmth")}
        return {}

    def ledger(self, kafka: Broker) -> dict[bytes, bytes | None]:
        """The newest value of each key of the ledger topic that is about an object which follows a profile."""
        topic = LEDGER.of(self.prefix)
        newest: dict[bytes, bytes | None] = {}
        settings = {"bootstrap.servers": kafka.bootstrap_servers}
        for batch in Reading(settings, topic, range(partitions_of(settings, topic))).batches():
            newest |= {message.key(): message.value() for message in batch if b"/sync:" in message.key()}
        return newest


@pytest.fixture
def shop(kafka: Broker, topic_prefix: str, tmp_path: Path) -> Iterator[SyncShop]:
    crm = HubSpot()
    with served(crm) as url:
        yield SyncShop(kafka, topic_prefix, tmp_path, url, crm)


def test_profiles_reach_the_crm_across_a_kill_and_a_resync_puts_edits_right(shop):
    assert "property in_vip of contacts" in shop.run("crm", "check", "shop", code=6)
    shop.run("crm", "setup", "shop")
    shop.send(*(action(number) for number in range(40)))
    for number in range(60):
        shop.publish(f"p{number}", segments=["big_spenders"], scores={"engagement": 10.0 + number})
    sink = shop.start("crm", "sink", "shop")
    eventually(lambda: any(shop.held(n) for n in range(40)) or sink.poll() is not None, "the sink writes")
    sink.send_signal(signal.SIGKILL)
    sink.communicate()
    shop.run("crm", "sink", "shop", "--drain")
    assert [shop.held(number) for number in range(40)] == [
        {"in_vip": "true", "warmth": str(10 + number)} for number in range(40)
    ]
    assert len(shop.crm.leads()) == 40

    shop.publish("p3", segments=[], scores={"engagement": 2.4})
    planned = shop.json("crm", "resync", "shop", "--dry-run")
    assert (planned["profiles"], planned["differing"], planned["fields"]) == (60, 1, {"in_vip": 1, "warmth": 1})
    assert shop.json("crm", "resync", "shop")["written"] == 1
    assert shop.held(3) == {"in_vip": "false", "warmth": "2"}

    contact = next(one for one in shop.crm.objects["contacts"].values() if one["stitchline_action"] == f"{5:032x}")
    contact["warmth"] = "99"
    changed = shop.json("crm", "reconcile", "shop")["deviations"]
    assert [(item["kind"], item["detail"]) for item in changed] == [("changed", "warmth")]
    assert shop.json("crm", "resync", "shop", "--dry-run")["differing"] == 0
    assert shop.json("crm", "resync", "shop", "--read", "--segment", "big_spenders")["differing"] == 0
    assert shop.json("crm", "resync", "shop", "--read")["fields"] == {"warmth": 1}
    assert shop.held(5)["warmth"] == "15"
    shop.run("crm", "resync", "shop", "--segment", "nobody", code=2)


def test_the_row_of_an_erased_customers_record_becomes_a_tombstone(shop, kafka):
    theirs = shop.crm.add_by_hand("ann@shop.example")
    shop.run("crm", "setup", "shop")
    link = {"tenant": "default", "identifiers": [f"crm_contact_id:{theirs}"]}
    shop.publish("p1", segments=["big_spenders"], scores={"engagement": 10.0}, **link)
    shop.publish("p2", segments=[], scores={"engagement": 10.0})
    shop.run("crm", "sink", "shop", "--drain")
    key = f"shop/default/sync:{theirs}".encode()
    assert shop.ledger(kafka)[key] is not None

    shop.publish("p1", status=None)
    shop.run("crm", "sink", "shop", "--drain")
    assert shop.ledger(kafka) == {key: None}
    assert {name: shop.crm.raw(theirs)[name] for name in ("in_vip", "warmth")} == {"in_vip": "false", "warmth": ""}

    # Every reader of the topic meets the tombstone.
    calls = len(shop.crm.calls)
    shop.run("crm", "sink", "shop", "--drain")
    assert shop.json("crm", "reconcile", "shop")["deviations"] == []
    assert shop.json("crm", "resync", "shop", "--dry-run")["differing"] == 0
    assert not [call for call in shop.crm.calls[calls:] if shop.crm.updates.fullmatch(call)]
