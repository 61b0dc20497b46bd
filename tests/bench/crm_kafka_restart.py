"""A CRM sink whose broker is killed and started again in the middle of a delivery: a real Kafka, an emulated HubSpot.

The fault is on the side of Kafka, so one CRM stands for all. A sink that ends is started again, as its supervisor does.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.local.kafka import LocalKafka
from pipeline.local.ports import free_ports
from pipeline.local.process import is_running, wait_until
from tests.crm.hubspot_emulator import HubSpot
from tests.crm.world import action
from tests.integration.test_crm_sink import Shop
from tests.support.crm_server import served
from tests.support.waiting import eventually

LEADS = 2_000


class Recovery(NamedTuple):
    """What became of the delivery."""

    seconds: float
    """From the first answer of the broker until the last waiting lead is in the CRM."""
    before: int
    """Leads that the CRM held when the broker was killed."""
    starts: int
    """Starts of the sink: 1 if it lived through."""
    objects: int
    leads: int
    """Different leads among the objects."""
    notes: int
    left: dict[str, Any]
    """What a further run that drains reports."""


def restart(folder: Path, away_seconds: float) -> Recovery:
    """Kills the broker with kill -9 during a delivery and starts it again after ``away_seconds``."""
    (port,) = free_ports(1)
    broker = LocalKafka(folder / "kafka", detached=True, port=port).start()
    try:
        crm = HubSpot()
        with served(crm) as url:
            return _measured(Shop(broker, "cdp", folder, url, crm), broker, away_seconds)
    finally:
        broker.stop()


def _measured(shop: Shop, broker: LocalKafka, away_seconds: float) -> Recovery:
    shop.run("crm", "setup", "shop")
    shop.send(*(action(number) for number in range(LEADS)))
    sinks = [shop.start("crm", "sink", "shop")]
    eventually(lambda: len(shop.crm.leads()) > 0, "the sink writes", interval_seconds=0.002)
    os.kill(broker.pid, signal.SIGKILL)
    before = len(shop.crm.leads())
    wait_until(lambda: not is_running(broker.pid), 10, "the broker outlived kill -9")
    time.sleep(away_seconds)  # the outage
    broker.start()
    back = time.monotonic()

    def is_delivered() -> bool:
        if sinks[-1].poll() is not None:
            sinks.append(shop.start("crm", "sink", "shop"))
        return len(shop.crm.leads()) >= LEADS and len(shop.crm.objects["notes"]) >= LEADS

    eventually(is_delivered, "the leads are delivered", interval_seconds=0.1)
    seconds = time.monotonic() - back
    sinks[-1].send_signal(signal.SIGTERM)
    sinks[-1].communicate()
    left = shop.json("crm", "sink", "shop", "--drain")
    actions = [lead["action"] for lead in shop.crm.leads().values()]
    return Recovery(seconds, before, len(sinks), len(actions), len(set(actions)), len(shop.crm.objects["notes"]), left)
