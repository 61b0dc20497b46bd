"""Builds the sink of a connection of ``crm.yaml``."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

import httpx2

from connectors.crm.access_key import AccessKey
from connectors.crm.bottlecrm.gateway import BottleCrmGateway
from connectors.crm.bucket import Buckets, Limit
from connectors.crm.budget import Budget
from connectors.crm.dynamics import answers as dynamics
from connectors.crm.dynamics.gateway import DynamicsGateway
from connectors.crm.exchange import Send
from connectors.crm.gateway import Gateway
from connectors.crm.http import CrmHttp
from connectors.crm.hubspot import answers as hubspot
from connectors.crm.hubspot.gateway import HubSpotGateway
from connectors.crm.lead_sink import LeadSink
from connectors.crm.ledger import LedgerView
from connectors.crm.oauth import log_in, log_in_to_journal
from connectors.crm.salesforce import answers as salesforce
from connectors.crm.salesforce.gateway import SalesforceGateway
from connectors.crm.secret import read_secret
from connectors.crm.sync.board import Board
from connectors.crm.sync.plan import Planner
from connectors.crm.sync.syncer import Syncer
from connectors.crm.sync.updates import Feed
from connectors.crm.sync.writer import SyncWriter
from connectors.crm.zoho import answers as zoho
from connectors.crm.zoho.gateway import ZohoGateway
from pipeline.clock import Clock
from pipeline.errors import MisuseError
from pipeline.obs.metrics import Metrics
from pipeline.rules.crm import CrmConnection, CrmRules
from pipeline.version import version

MARGIN_MS: Final = 2_000
"""Added to the longest time of a request: a runner proves at least this often that no other has taken over."""
SEARCHES: Final = Limit(5.0, 4.0)
"""HubSpot allows 5 searches per second and account, whatever the limit of other requests."""
JOURNAL: Final = Limit(20.0, 20.0)
"""HubSpot allows an app 100 requests to its journal per second and 50 to its subscriptions; others use it, too."""

MakeGateway: TypeAlias = Callable[[CrmConnection, Send, Clock], Gateway]


class Kind(NamedTuple):
    """What a kind of CRM is connected with."""

    gateway: MakeGateway
    share_used: Callable[[Mapping[str, str], int], float]
    """Returns the used part of the day's requests from the headers of an answer and the total of ``crm.yaml``."""
    scheme: str = "Bearer"
    """The word before the access key."""


KINDS: Final[Mapping[str, Kind]] = {
    "bottlecrm": Kind(BottleCrmGateway, lambda _headers, _total: 0.0),
    "hubspot": Kind(HubSpotGateway, hubspot.share_used),
    "salesforce": Kind(SalesforceGateway, salesforce.share_used),
    "dynamics": Kind(DynamicsGateway, dynamics.share_used),
    "zoho": Kind(ZohoGateway, zoho.share_used, "Zoho-oauthtoken"),
}


def connection_of(rules: CrmRules, name: str) -> CrmConnection:
    """Returns the connection with a name.

    Raises:
        MisuseError: There is none.
    """
    for connection in rules.connections:
        if connection.name == name:
            return connection
    names = ", ".join(connection.name for connection in rules.connections) or "none"
    message = f"crm.yaml has no connection {name!r}; it has {names}"
    raise MisuseError(message)


def settle_ms(connection: CrmConnection) -> int:
    """Returns the time after which no request of a former process can still take effect."""
    return round(connection.timeout_seconds * 1000) + MARGIN_MS


def open_http(
    connection: CrmConnection,
    *,
    clock: Clock,
    sleep: Callable[[float], object],
    metrics: Metrics,
    transport: httpx2.BaseTransport | None = None,
) -> CrmHttp:
    """Returns the HTTP layer of a connection.

    Raises:
        SecretError: The access key is not where the connection refers to.
    """
    read_secret(connection.secret)
    client = httpx2.Client(
        base_url=connection.url,
        timeout=connection.timeout_seconds,
        headers={"user-agent": f"stitchline/{version()}", "accept": "application/json"},
        transport=transport,
    )
    if connection.kind in {"bottlecrm", "hubspot"}:
        key = AccessKey(lambda: read_secret(connection.secret))
    else:
        key = AccessKey(lambda: log_in(client, connection, read_secret, clock))
    journal = None
    if settings := connection.back.journal:  # its secret is read when it is used: a sink does not need it
        journal = AccessKey(lambda: log_in_to_journal(client, connection, settings, read_secret))
    limits = {
        "default": Limit(float(connection.requests), connection.requests / connection.per_seconds),
        "search": SEARCHES,
        "journal": JOURNAL,
    }
    kind = KINDS[connection.kind]
    return CrmHttp(
        client, key, sink=connection.name, buckets=Buckets(limits), clock=clock, sleep=sleep, metrics=metrics,
        scheme=kind.scheme, budget=budget_of(connection), journal=journal,
    )  # fmt: skip


def budget_of(connection: CrmConnection) -> Budget:
    """Returns the budget of a connection's daily requests."""
    share_used, total = KINDS[connection.kind].share_used, connection.day_requests
    return Budget(lambda headers: share_used(headers, total), connection.day_share)


def open_syncer(
    connection: CrmConnection, http: CrmHttp, ledger: LedgerView, board: Board, feed: Feed, *, clock: Clock,
    metrics: Metrics,
) -> Syncer:  # fmt: skip
    """Returns what keeps the fields of ``sync`` up to date."""
    writer = SyncWriter(connection, gateway_of(connection, http, clock), ledger, clock)
    return Syncer(connection, feed, board, Planner(board, ledger), writer, clock=clock, metrics=metrics)


def gateway_of(connection: CrmConnection, http: CrmHttp, clock: Clock) -> Gateway:
    """Returns the gateway of a connection."""
    return KINDS[connection.kind].gateway(connection, http.send, clock)


def open_sink(connection: CrmConnection, http: CrmHttp, ledger: LedgerView, clock: Clock) -> LeadSink:
    """Returns the sink of a connection. Closing it closes the HTTP layer."""
    gateway = gateway_of(connection, http, clock)
    return LeadSink(connection, gateway, ledger, clock, http.close)
