"""Wires one process: database, rules, API and console, health pages, the writer as a child, uvicorn."""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

import uvicorn

from pipeline.clock import wall_clock_ms
from pipeline.errors import OperatorError
from pipeline.obs.http import HealthServer
from pipeline.obs.listening import BACKLOG, listening_socket
from pipeline.obs.metrics import Metrics
from pipeline.privacy.requests import PersonRequests
from pipeline.rules.load import load_rules
from pipeline.serve.access.audit import AuditLog
from pipeline.serve.access.keys import ApiKeys
from pipeline.serve.access.limits import RequestLimits
from pipeline.serve.agents.endpoint import AgentsEndpoint
from pipeline.serve.api.app import api_app
from pipeline.serve.api.services import Services
from pipeline.serve.console.build import console_of
from pipeline.serve.follower import rebuild as delete_model
from pipeline.serve.front import Front
from pipeline.serve.model.store import FOLDER, Store, store_of
from pipeline.serve.read.reads import Reads
from pipeline.serve.receipts import Receipts
from pipeline.serve.signin.oidc.configuration import oidc_configuration
from pipeline.serve.signin.oidc.flow import OidcSignIn
from pipeline.serve.watch import FreshnessWatch
from pipeline.serve.writer_process import WriterProcess
from pipeline.settings import Settings

GRACE_SECONDS: Final = 5
"""How long open requests may take to end; streams of changes never end by themselves."""


class ServeAddressError(OperatorError):
    """The API cannot listen on its address.

    Operator action: set STITCHLINE_SERVE_HOST and STITCHLINE_SERVE_PORT to an address of this machine that is free.
    """


def services_of(settings: Settings, store: Store) -> Services:
    """Returns the services of one process.

    Raises:
        RulesError: the rules files are not valid.
    """
    rules = load_rules(settings.rules_dir)
    return Services(
        store=store,
        reads=Reads(store, rules),
        persons=PersonRequests(settings, rules),
        keys=ApiKeys(store),
        limits=RequestLimits(),
        audit=AuditLog(settings.home / FOLDER),
        metrics=Metrics(),
    )


def oidc_of(settings: Settings, store: Store) -> OidcSignIn | None:
    """Returns the sign-in at the configured OpenID provider, checked; None if none is configured.

    Raises:
        OidcSettingsError: the settings are incomplete or wrong.
        ProviderError: the provider answers as another issuer, or not as the protocol demands.
    """
    configuration = oidc_configuration(settings)
    if configuration is None:
        return None
    oidc = OidcSignIn(configuration, store.engine, wall_clock_ms)
    oidc.check()
    return oidc


async def run(
    settings: Settings, when_listening: Callable[[str], None], *, writes: bool = True, rebuild: bool = False
) -> None:
    """Serves API and console until SIGTERM or SIGINT. Calls ``when_listening`` with its URL.

    ``writes``: whether a writer is started too. It waits while another one follows for the same database.

    Raises:
        OperatorError: it cannot start; the message states what to do.
    """
    store = store_of(settings)
    oidc = oidc_of(settings, store)
    store.prepare(settings.topic_prefix, rebuild=rebuild)
    if rebuild:
        delete_model(store, settings.topic_prefix)
    services = services_of(settings, store)
    listening = listening_socket(settings.serve_host, settings.serve_port, "SERVE", ServeAddressError)
    receipts = Receipts(store, services.persons)
    console = console_of(services.reads, services.persons, receipts, settings, settings.home / FOLDER, oidc=oidc)
    front = Front(api_app(services), console.app)
    application = AgentsEndpoint(front, services, settings.rules_dir)
    server = uvicorn.Server(_config(application))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    watch = FreshnessWatch(services.reads, services.metrics, wall_clock_ms)
    await watch.look()
    health = _health(settings, services.metrics, watch)
    beside = [asyncio.create_task(watch.run())]
    try:
        if health is not None:
            await health.start()
        if writes:
            kafka = {"STITCHLINE_BOOTSTRAP_SERVERS": settings.bootstrap_servers}
            beside.append(asyncio.create_task(WriterProcess(kafka).run()))
        host = f"[{settings.serve_host}]" if ":" in settings.serve_host else settings.serve_host
        when_listening(f"http://{host}:{listening.getsockname()[1]}")
        async with application.running():
            await server._serve([listening])  # noqa: SLF001  without uvicorn's handling of signals
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        if health is not None:
            await health.stop()
        receipts.close()
        console.close()
        if oidc is not None:
            oidc.provider.close()
        services.audit.close()
        store.close()


def _config(application: AgentsEndpoint) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # paths may hold identifiers
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _health(settings: Settings, metrics: Metrics, watch: FreshnessWatch) -> HealthServer | None:
    if not settings.http_port:
        return None
    return HealthServer(metrics, ready=watch.not_ready, host=settings.http_host, port=settings.http_port)
