"""Builds the sink of a connection of ``crm.yaml``."""

from collections.abc import Callable
from typing import Final

import httpx2

from connectors.crm.bucket import Buckets, Limit
from connectors.crm.http import AccessKey, CrmHttp
from connectors.crm.hubspot.sink import HubSpotSink
from connectors.crm.ledger import LedgerView
from connectors.crm.secret import read_secret
from pipeline.clock import Clock
from pipeline.errors import MisuseError
from pipeline.obs.metrics import Metrics
from pipeline.rules.crm import CrmConnection, CrmRules
from pipeline.version import version

MARGIN_MS: Final = 2_000
"""Added to the longest time of a request: a runner proves at least this often that no other has taken over."""


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
    key = AccessKey(lambda: read_secret(connection.secret))
    key.current()
    client = httpx2.Client(
        base_url=connection.url,
        timeout=connection.timeout_seconds,
        headers={"user-agent": f"stitchline/{version()}", "accept": "application/json"},
        transport=transport,
    )
    limits = {"default": Limit(float(connection.requests), connection.requests / connection.per_seconds)}
    return CrmHttp(
        client, key, sink=connection.name, buckets=Buckets(limits), clock=clock, sleep=sleep, metrics=metrics
    )


def open_sink(connection: CrmConnection, http: CrmHttp, ledger: LedgerView, clock: Clock) -> HubSpotSink:
    """Returns the sink of a connection. Closing it closes the HTTP layer."""
    return HubSpotSink(connection, http.send, ledger, clock, http.close)
