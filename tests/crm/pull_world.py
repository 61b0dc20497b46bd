"""A whole pull in one process: topics, clock, an emulated HubSpot, and pullers that come and go."""

from typing import Any

import httpx2

from connectors.crm.access_key import AccessKey
from connectors.crm.bucket import Buckets
from connectors.crm.exchange import Send
from connectors.crm.http import CrmHttp
from connectors.crm.ledger_row import LedgerRow, value_hash
from connectors.sources.crm.connect import documents_of, open_reader
from connectors.sources.crm.memory import Memory
from connectors.sources.crm.puller import Puller
from connectors.sources.crm.reader import CrmReader
from connectors.sources.outgoing import EventEncoder
from pipeline.avro.registry import FileIds
from pipeline.event.model import Event
from pipeline.event.normalise import EventNormaliser
from pipeline.event.parse import Defaults
from pipeline.obs.metrics import Metrics
from pipeline.rules.crm import CrmConnection, CrmField, CrmOwner
from pipeline.rules.crm_back import CrmBack, CrmTrait
from pipeline.rules.load import load_rules
from pipeline.rules.normalisers import normalisers
from tests.crm.emulator import SECRET, Crm
from tests.crm.hubspot_read_side import ReadableHubSpot
from tests.support.crm_log import Clock, Stop
from tests.support.pull_log import MemoryPullLog, PullTopics

TRAITS = tuple(
    CrmTrait(field=field, trait=trait, of=("contacts",))
    for field, trait in (("firstname", "firstName"), ("phone", "phone"), ("jobtitle", "title"))
)
RULES = load_rules()
NORMALISE = EventNormaliser(RULES.intake, RULES.identifiers, normalisers("US")).normalise
"""As INTAKE does: it finds the amount of an event."""
ENCODE = EventEncoder(RULES.intake, RULES.identifiers, FileIds(), "cdp", Defaults(channel="crm"))


class PullWorld:
    """One connection and what surrounds it."""

    scheme = "Bearer"
    account: type[ReadableHubSpot] = ReadableHubSpot

    def __init__(self, **back: Any) -> None:
        self.clock, self.topics, self.metrics = Clock(), PullTopics(), Metrics()
        self.hub = self.account(self.clock)
        self.crm: Crm = self.hub
        self.connection = CrmConnection(
            name="hub", kind="hubspot", secret=SECRET, requests=100_000,
            fields=(
                CrmField(to="phone", value="contact.phone"), CrmField(to="jobtitle", value="grade", write="always"),
            ),
            owners=(CrmOwner(rep="ann", id="10"),),
            back=CrmBack(**{"traits": TRAITS, "currency": "EUR", **back}),
        )  # fmt: skip
        self.puller: Puller

    def open(self, wrap: Any = lambda log: log) -> Puller:
        """A new puller, which shuts out the one before."""
        http, memory = self.http(), Memory(self.connection.name)
        self.puller = Puller(
            self.connection, wrap(MemoryPullLog(self.topics)), self.reader(http.send, memory), memory,
            make=documents_of(self.connection, RULES.intake, RULES.identifiers),
            encode=ENCODE,
            clock=self.clock, metrics=self.metrics,
        )  # fmt: skip
        return self.puller

    def http(self, client: httpx2.Client | None = None) -> CrmHttp:
        """What sends the requests of a reader."""
        return CrmHttp(
            client or self.client(), AccessKey(self.key), sink=self.connection.name, buckets=Buckets({}),
            clock=self.clock, sleep=self.clock.sleep, metrics=self.metrics, scheme=self.scheme,
            journal=self.journal_key(),
        )  # fmt: skip

    def journal_key(self) -> AccessKey | None:
        """The access key of a journal; None without one."""
        return None

    def client(self) -> httpx2.Client:
        """What sends requests to this world's CRM."""
        return httpx2.Client(base_url="https://crm.example", transport=self.transport())

    def transport(self) -> httpx2.BaseTransport:
        """What answers them."""
        return self.crm.transport()

    def key(self) -> str:
        """The access key."""
        return self.crm.secrets[SECRET]

    def reader(self, send: Send, memory: Memory) -> CrmReader:
        """The reader of this world's CRM."""
        return open_reader(self.connection, send, self.clock, memory)

    def pull(self) -> list[Event]:
        """Passes the delay and pulls with a new puller. Returns the new events in order of time."""
        self.pass_time(60)
        self.open().run(Stop(self.clock), drain=True)
        events = self.topics.take()
        assert [NORMALISE(event) for event in events] == [None] * len(events)
        return sorted(events, key=lambda event: event.timestamp_ms)

    def pass_time(self, seconds: float) -> None:
        self.clock.now_ms += round(seconds * 1000)

    def sink_wrote(self, object_id: str, **fields: str) -> None:
        """A row of the sink's ledger, as it stands after a write."""
        hashes = {name: value_hash(value) for name, value in fields.items()}
        self.topics.ledger.append(
            LedgerRow(
                sink="hub",
                tenant="default",
                action_id=f"a-{object_id}",
                object="contact",
                object_id=object_id,
                revision=1,
                fields=hashes,
                written_ms=self.clock(),
            )
        )

    def sink_erased(self, object_id: str) -> None:
        """A row of the sink's ledger that an erasure has emptied."""
        self.topics.ledger.append(
            LedgerRow(
                sink="hub",
                tenant="default",
                action_id=f"a-{object_id}",
                revision=2,
                state="erased",
                written_ms=self.clock(),
            )
        )


def names(events: list[Event]) -> list[str]:
    """The names of track events, and the types of all others."""
    return [event.name or event.type for event in events]
