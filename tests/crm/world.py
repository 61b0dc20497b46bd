"""A whole delivery in one process: topics, clock, an emulated CRM, and runners that come and go."""

from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import msgspec

from connectors.crm.bucket import Buckets
from connectors.crm.erasing import erasing
from connectors.crm.http import AccessKey, CrmHttp
from connectors.crm.hubspot.setup import CONTACT_PROPERTIES, NOTE_PROPERTIES
from connectors.crm.hubspot.sink import HubSpotSink
from connectors.crm.ledger import Ledger
from connectors.crm.runner import Policy, SinkRunner
from connectors.crm.sink import Action, CrmSink
from pipeline.event.reason import Reason
from pipeline.obs.metrics import Metrics
from pipeline.rules.crm import CrmConnection, CrmField, CrmOwner
from tests.crm.emulator import Crm
from tests.crm.hubspot_emulator import HubSpot
from tests.support.crm_log import Clock, MemoryActionLog, Stop, Topics

FIELDS = (
    CrmField(to="email", value="contact.email"),
    CrmField(to="phone", value="contact.phone"),
    CrmField(to="firstname", value="contact.firstName"),
)
SETTLE_MS = 22_000
OWNERS = (CrmOwner(rep="ann", id="10"), CrmOwner(rep="gone", id="30"))


class World:
    """One sink of one kind of CRM, and what surrounds it."""

    def __init__(self, **connection: Any) -> None:
        self.topics, self.clock, self.metrics = Topics(), Clock(), Metrics()
        self.crm: Crm = HubSpot()
        self.key = "pat-1"
        self.connection = CrmConnection(
            name="crm", kind="hubspot", secret="env:HUBSPOT_KEY", fields=FIELDS, owners=OWNERS, fallback_owner="20",
            **{"requests": 100_000, **connection},
        )  # fmt: skip
        assert isinstance(self.crm, HubSpot)
        self.crm.types["contacts"] |= {name: one[0] for name, one in CONTACT_PROPERTIES.items()}
        self.crm.types["notes"] |= {name: one[0] for name, one in NOTE_PROPERTIES.items()}
        self.sent: list[dict[str, Any]] = []
        self.runner: SinkRunner

    def sink(self, ledger: Ledger) -> CrmSink:
        http = CrmHttp(
            httpx2.Client(base_url="https://crm.example", transport=self.crm.transport()), AccessKey(lambda: self.key),
            sink="crm", buckets=Buckets({}), clock=self.clock, sleep=self.clock.sleep, metrics=self.metrics,
        )  # fmt: skip
        self.http = http
        return HubSpotSink(self.connection, http.send, ledger, self.clock, http.close)

    def open(self, wrap: Callable[[MemoryActionLog], Any] = lambda log: log, **policy: Any) -> SinkRunner:
        """A new runner, which shuts out the one before."""
        ledger = Ledger()
        log = wrap(MemoryActionLog(self.topics, self.clock))
        sink = self.sink(ledger)
        sink = erasing(self.connection, sink, self.http.send, ledger, self.clock)
        self.runner = SinkRunner(
            "crm", log, sink, decode=msgspec.json.decode, clock=self.clock, ledger=ledger,
            metrics=self.metrics, policy=Policy(**{"settle_ms": SETTLE_MS, **policy}),
        )  # fmt: skip
        self.http.before_each = self.runner.confirm
        return self.runner

    def run(self, **policy: Any) -> SinkRunner:
        """Delivers all there is with a new runner."""
        runner = self.open(**policy)
        runner.run(Stop(self.clock), drain=True)
        return runner

    def send(self, *actions: dict[str, Any], partition: int = 0) -> None:
        for action in actions:
            self.sent.append(action)
            self.topics.send(msgspec.json.encode(action), partition=partition)

    def lead(self, action_id: str) -> dict[str, str]:
        """The one object with an action id."""
        (lead,) = [one for one in self.crm.leads().values() if one.get("action") == action_id]
        return lead

    def lead_id(self, action_id: str) -> str:
        (lead_id,) = [name for name, one in self.crm.leads().items() if one.get("action") == action_id]
        return lead_id

    @property
    def quarantined(self) -> dict[str, tuple[Reason, str]]:
        """Action id → reason and the CRM's words."""
        return {
            msgspec.json.decode(one.record.value() or b"")["action_id"]: (one.reason, one.detail)
            for one in self.topics.quarantine
        }


def action(number: int, revision: int = 1, **fields: Any) -> dict[str, Any]:
    """An action as ROUTE makes them, about a customer of its own."""
    name = f"{number:032x}"
    return {
        "action_id": name, "tenant": "t", "profile_id": f"p{number}", "trigger": "hot_lead", "episode": 1,
        "kind": "lead", "duplicate_of": "", "timestamp_ms": 1_790_000_000_000 + revision, "score": 71.5 + revision,
        "threshold": 60.0, "event": "reached", "segment": "", "grade": "A1", "revision": revision,
        "contributions": [{"rule": "pricing_page", "group": "", "points": 30.0, "occurrences": 3}],
        "identifiers": [f"email:c{number}@shop.example"], "contact": {"email": f"c{number}@shop.example"},
        "consent": '{"email": false}', "owner": "ann", "owner_reason": "round robin of north", "predictions": {},
        "timeline": [{"timestamp_ms": 1_789_999_000_000, "channel": "web", "type": "page", "name": "",
                      "event_id": "e", "summary": "viewed <b>Pricing</b>"}], "cart": "{}",
        **fields,
    }  # fmt: skip


def actions_of(bodies: Sequence[dict[str, Any]]) -> list[Action]:
    return [Action(0, offset, body) for offset, body in enumerate(bodies)]
