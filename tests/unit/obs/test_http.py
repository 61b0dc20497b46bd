"""The health pages, over a real socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
import pytest

from pipeline.obs import metrics as m
from pipeline.obs.http import AddressError, HealthServer

Found = TypeVar("Found")


def with_server(server: HealthServer, body: Callable[[aiohttp.ClientSession], Awaitable[Found]]) -> Found:
    async def run() -> Found:
        await server.start()
        try:
            async with aiohttp.ClientSession(server.url) as session:
                return await body(session)
        finally:
            await server.stop()

    return asyncio.run(run())


async def get(session: aiohttp.ClientSession, path: str) -> tuple[int, dict[str, object]]:
    async with session.get(path) as answer:
        return answer.status, json.loads(await answer.text())


def test_a_worker_is_ready_only_without_reasons_against_it_and_lists_them() -> None:
    reasons = ["partition 3 of profile is restoring"]
    server = HealthServer(m.Metrics(), ready=lambda: reasons)

    async def ask(session: aiohttp.ClientSession) -> list[tuple[int, dict[str, object]]]:
        before = await get(session, "/readyz")
        live = await get(session, "/livez")
        reasons.clear()
        return [before, live, await get(session, "/readyz")]

    assert with_server(server, ask) == [
        (503, {"ok": False, "reasons": ["partition 3 of profile is restoring"]}),
        (200, {"ok": True, "reasons": []}),
        (200, {"ok": True, "reasons": []}),
    ]


def test_a_worker_that_is_not_live_is_not_ready_either() -> None:
    server = HealthServer(m.Metrics(), alive=lambda: ["the poison limit stopped intake"])

    async def ask(session: aiohttp.ClientSession) -> list[int]:
        return [(await get(session, "/livez"))[0], (await get(session, "/readyz"))[0]]

    assert with_server(server, ask) == [503, 503]


def test_the_metrics_page_carries_the_counts_and_readiness() -> None:
    metrics = m.Metrics()
    metrics.add(m.MERGES, 2)

    async def ask(session: aiohttp.ClientSession) -> tuple[str, str]:
        async with session.get("/metrics") as answer:
            return answer.headers["Content-Type"], await answer.text()

    content_type, page = with_server(HealthServer(metrics, ready=lambda: ["no partitions yet"]), ask)
    assert content_type.startswith("text/plain")
    assert "stitchline_merges_total 2.0" in page
    assert "stitchline_ready 0.0" in page


def test_an_occupied_port_is_refused_with_what_to_do() -> None:
    metrics = m.Metrics()
    first = HealthServer(metrics)

    async def ask(_: aiohttp.ClientSession) -> None:
        with pytest.raises(AddressError, match="STITCHLINE_HTTP_PORT"):
            await HealthServer(metrics, port=first.port).start()

    with_server(first, ask)


def test_stopping_twice_or_before_the_start_is_harmless() -> None:
    async def run() -> None:
        server = HealthServer(m.Metrics())
        await server.stop()
        await server.start()
        await server.stop()
        await server.stop()

    asyncio.run(run())
