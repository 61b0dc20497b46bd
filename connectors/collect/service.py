"""Wires the collector from the settings: sources, encoder, spool, Kafka, application, server."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

from connectors.collect.address import TrustedProxies
from connectors.collect.admission import Admission
from connectors.collect.app import Collector, Limits
from connectors.collect.caps import CapsFile
from connectors.collect.connections import ConnectionLimits
from connectors.collect.encode import RecordEncoder
from connectors.collect.request_counts import RequestCounts
from connectors.collect.safekeeping.kafka_line import KafkaLine
from connectors.collect.safekeeping.keeper import Keeper
from connectors.collect.safekeeping.spool import Spool
from connectors.collect.server import CollectServer, Listening
from connectors.collect.source_file import WatchedSources
from connectors.collect.sources import SIGN_URL, Sources
from connectors.collect.suppressed import SuppressedFollower
from connectors.collect.violation_file import FILE as VIOLATIONS
from connectors.collect.violation_file import ViolationFile
from pipeline.avro.registry import schema_ids
from pipeline.errors import OperatorError
from pipeline.event.erasure import MarkTable
from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.reach import REQUEST_SECONDS, NoBrokerError, cluster
from pipeline.obs.http import HealthServer
from pipeline.obs.log import logger
from pipeline.obs.metrics import Metrics
from pipeline.rules.load import load_rules
from pipeline.settings import Settings

FLUSH_SECONDS: Final = 20.0
START_SECONDS: Final = 3.0
"""How long a start waits for Kafka before it takes events into the spool."""
COLLECT_AFTER: Final = (50_000, 20, 100)
"""``gc.set_threshold``: requests leave few cycles, and the defaults look for them 5 % of the time."""
FOLDER: Final = "collect"
"""The collector's folder in the home folder."""

log = logger(__name__)


class ProxiesError(OperatorError):
    """STITCHLINE_COLLECT_TRUSTED_PROXIES has a part that is no network.

    Operator action: write networks separated by commas, as in 10.0.0.0/8,127.0.0.1.
    """


class PublicUrlError(OperatorError):
    """A source takes webhooks of a vendor that signs the public URL, which is not configured.

    Operator action: set STITCHLINE_COLLECT_PUBLIC_URL to the base URL that is given to the vendor.
    """


async def run(settings: Settings, when_listening: Callable[[str], None]) -> None:
    """Runs the collector until SIGTERM or SIGINT. Calls ``when_listening`` with its URL.

    Raises:
        OperatorError: it cannot start; the message states what to do. Kafka being away is no reason.
    """
    metrics = Metrics()
    folder = settings.home / FOLDER
    rules = load_rules(settings.rules_dir)
    sources = WatchedSources(settings.rules_dir, CapsFile(folder / "caps.json"), ViolationFile(folder / VIOLATIONS))
    _check_public_url(settings, sources.current)
    ids = schema_ids(settings.schema_registry_url)
    marks = MarkTable()
    encoder = RecordEncoder(rules.intake, rules.identifiers, ids, settings.topic_prefix, marks)
    spool = Spool(folder / "spool", settings.collect_spool_bytes)
    away = not await _is_there(settings)
    line = KafkaLine(settings.kafka(), settings.collect_ack_timeout_ms / 1000)
    keeper = Keeper(line, spool, metrics, lambda: _prepare(settings), away=away)
    counts = RequestCounts(metrics)
    app = Collector(
        lambda: sources.current,
        Admission(lambda: sources.current, encoder, counts),
        keeper,
        counts,
        _limits(settings),
        not_ready=lambda: _not_ready(spool, settings.collect_spool_bytes),
        access_log=settings.collect_access_log,
    )
    listening = _listening(settings)
    server = CollectServer(app, listening, metrics, ConnectionLimits(max_body_bytes=settings.collect_max_body_bytes))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    health = _health(settings, metrics, lambda: _not_ready(spool, settings.collect_spool_bytes))
    if health is not None:
        await health.start()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    scheme = "https" if listening.tls_cert else "http"
    host = f"[{listening.host}]" if ":" in listening.host else listening.host
    try:
        async with _watching(sources, SuppressedFollower(settings, marks)):
            await server.run(lambda: when_listening(f"{scheme}://{host}:{server.port}"))
    finally:
        await keeper.close()
        left = await line.close(FLUSH_SECONDS)
        if left:
            log.warning("records_not_confirmed", records=left)  # none of them was acknowledged
        sources.save_counts()
        if health is not None:
            await health.stop()


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_body_bytes=settings.collect_max_body_bytes,
        proxies=_proxies(settings),
        public_url=settings.collect_public_url,
    )


def _listening(settings: Settings) -> Listening:
    return Listening(
        host=settings.collect_host,
        port=settings.collect_port,
        tls_cert=_path(settings.collect_tls_cert),
        tls_key=_path(settings.collect_tls_key),
    )


@contextlib.asynccontextmanager
async def _watching(sources: WatchedSources, suppressed: SuppressedFollower) -> AsyncIterator[None]:
    """Follows the sources' file and the refused customers."""
    suppressed.start()
    watching = asyncio.create_task(sources.watch())
    try:
        yield
    finally:
        watching.cancel()
        suppressed.stop()
        await asyncio.gather(watching, return_exceptions=True)


def _check_public_url(settings: Settings, sources: Sources) -> None:
    """Raises PublicUrlError if a source has webhooks whose signature covers a URL that is not configured."""
    names = [source.name for source in sources.all() if source.needs_public_url]
    if names and not settings.collect_public_url:
        message = (
            f"source {names[0]} takes webhooks of {' or '.join(sorted(SIGN_URL))}, which sign the public URL; set "
            "STITCHLINE_COLLECT_PUBLIC_URL, as in https://events.shop.example"
        )
        raise PublicUrlError(message)


def _health(settings: Settings, metrics: Metrics, not_ready: Callable[[], Sequence[str]]) -> HealthServer | None:
    if not settings.http_port:
        return None
    return HealthServer(metrics, ready=not_ready, host=settings.http_host, port=settings.http_port)


def _not_ready(spool: Spool, max_bytes: int) -> Sequence[str]:
    """Returns why events cannot be taken: the spool is as good as full. Kafka being away is no reason."""
    if spool.size_bytes > max_bytes * 0.95:
        return [f"the spool holds {spool.size_bytes} of {max_bytes} bytes; Kafka does not take them"]
    return []


async def _is_there(settings: Settings) -> bool:
    """Creates missing topics. Returns False if no broker answers soon: senders should not wait for Kafka."""
    try:
        await _prepare(settings, START_SECONDS)
    except NoBrokerError as error:
        log.warning("kafka_away_at_start", error=str(error))
        return False
    return True


async def _prepare(settings: Settings, timeout_seconds: float = REQUEST_SECONDS) -> None:
    await asyncio.to_thread(_reach, settings, timeout_seconds)


def _reach(settings: Settings, timeout_seconds: float) -> None:
    cluster(settings.kafka(), timeout_seconds)
    ensure_topics(settings)


def _proxies(settings: Settings) -> TrustedProxies:
    try:
        return TrustedProxies(settings.collect_trusted_proxies)
    except ValueError as error:
        message = f"STITCHLINE_COLLECT_TRUSTED_PROXIES: {error}; write networks, as in 10.0.0.0/8,127.0.0.1"
        raise ProxiesError(message) from error


def _path(path: Path | None) -> str:
    return str(path) if path else ""
