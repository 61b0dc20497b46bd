"""A whole delivery in one process: topics, clock, an emulated CRM, and runners that come and go."""

from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import msgspec

from connectors.crm.access_key import AccessKey
from connectors.crm.bucket import Buckets
from connectors.crm.connect import KINDS, budget_of, open_sink, open_syncer
from connectors.crm.erasing import erasing
from connectors.crm.http import CrmHttp
from connectors.crm.lead_sink import LeadSink
from connectors.crm.ledger import Ledger
from connectors.crm.oauth import log_in
from connectors.crm.runner import Policy, SinkRunner
from connectors.crm.sink import Action
from connectors.crm.sync.board import Board
from connectors.crm.sync.updates import Feed
from pipeline.event.reason import Reason
from pipeline.obs.metrics import Metrics
from pipeline.rules.crm import CrmConnection, CrmOwner
from tests.crm.emulator import SECRET, Crm
from tests.crm.emulators import EMULATORS
from tests.support.crm_log import Clock, MemoryActionLog, MemoryUpdates, Stop, Topics

SETTLE_MS = 22_000


class World:
    """One sink of one kind of CRM, and what surrounds it."""

    def __init__(self, kind: str = "hubspot", **connection: Any) -> None:
        self.topics, self.clock, self.metrics = Topics(), Clock(), Metrics()
        self.crm: Crm = EMULATORS[kind]()
        self.crm.prepare()
        owners = self.crm.owners_by_name
        self.connection = CrmConnection(**{
            "name": "crm", "kind": kind, "secret": SECRET, "requests": 100_000, "fallback_owner": owners["fallback"],
            "owners": tuple(CrmOwner(rep=rep, id=owners[rep]) for rep in ("ann", "gone")),
            **self.crm.connection, **connection,
        })  # fmt: skip
        self.secrets = dict(self.crm.secrets)
        """The secrets that the sink reads."""
        self.versions: dict[str, int] = {}
        self.sent: list[dict[str, Any]] = []
        self.runner: SinkRunner

    def sink(self, ledger: Ledger) -> LeadSink:
        client = httpx2.Client(base_url=self.connection.url, transport=self.crm.transport())
        kind = KINDS[self.connection.kind]
        self.http = CrmHttp(
            client, AccessKey(lambda: self._key(client)), sink="crm", buckets=Buckets({}), clock=self.clock,
            sleep=self.clock.sleep, metrics=self.metrics, scheme=kind.scheme,
            budget=budget_of(self.connection),
        )  # fmt: skip
        return open_sink(self.connection, self.http, ledger, self.clock)

    def _key(self, client: httpx2.Client) -> Any:
        if self.connection.kind == "hubspot":
            return self.secrets[SECRET]
        return log_in(client, self.connection, self.secrets.__getitem__, self.clock)

    def open(self, wrap: Callable[[MemoryActionLog], Any] = lambda log: log, **policy: Any) -> SinkRunner:
        """A new runner, which shuts out the one before."""
        ledger = Ledger()
        log = wrap(MemoryActionLog(self.topics, self.clock))
        sink = self.sink(ledger)
        sink = erasing(self.connection, sink, self.http.send, ledger, self.clock)
        self.board = Board(self.connection)
        self.updates = MemoryUpdates(self.topics)
        feed = Feed("cdp.profile.updates.v1", self.updates, msgspec.json.decode)
        syncer = None
        if self.connection.sync.fields:
            syncer = open_syncer(
                self.connection, self.http, ledger, self.board, feed, clock=self.clock, metrics=self.metrics
            )
        self.runner = SinkRunner(
            "crm", log, sink, decode=msgspec.json.decode, clock=self.clock, ledger=ledger, beside=syncer,
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

    def publish(self, profile_id: str, **fields: Any) -> None:
        """Publishes a profile; ``status=None`` is a tombstone."""
        self.versions[profile_id] = self.versions.get(profile_id, 0) + 1
        update = profile(profile_id, self.versions[profile_id], **fields)
        self.topics.publish(profile_id, None if update["status"] is None else msgspec.json.encode(update))

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


def profile(profile_id: str, version: int, **fields: Any) -> dict[str, Any]:
    """A profile update as PROFILE makes them. ``traits`` and ``consent`` are given as objects."""
    texts = {name: msgspec.json.encode(fields.pop(name, {})).decode() for name in ("traits", "consent")}
    return {
        "profile_id": profile_id, "tenant": "t", "status": "active", "merged_into": "", "version": version,
        "identifiers": [], "scores": {}, "predictions": {}, "grade": "", "segments": [], **texts, **fields,
    }  # fmt: skip


def actions_of(bodies: Sequence[dict[str, Any]]) -> list[Action]:
    return [Action(0, offset, body) for offset, body in enumerate(bodies)]
