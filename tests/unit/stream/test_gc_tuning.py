"""What connections to the health pages leave behind is freed, although full collections are rare."""

import asyncio
import contextlib
import gc
from urllib.request import urlopen

from pipeline.obs.http import HealthServer
from pipeline.obs.http_thread import HealthThread
from pipeline.obs.metrics import Metrics
from pipeline.stream.gc_tuning import collect_rarely, collect_young
from tests.support.waiting import deadline_seconds

REQUESTS = 100


def transports() -> int:
    return sum(type(item).__name__ == "_SelectorSocketTransport" for item in gc.get_objects())


async def until_there_are_few() -> None:
    collecting = asyncio.create_task(collect_young(0.01))
    async with asyncio.timeout(deadline_seconds()):
        while transports() > REQUESTS // 10:
            await asyncio.sleep(0.01)
    collecting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await collecting


def test_closed_connections_do_not_pile_up():
    before = gc.get_threshold()
    gc.collect()
    server = HealthServer(Metrics())
    try:
        collect_rarely()
        with HealthThread(server):
            for _ in range(REQUESTS):
                with urlopen(f"{server.url}/livez") as page:
                    assert page.status == 200
            assert transports() >= REQUESTS, "asyncio frees them by itself: collect_young is not needed any more"
            asyncio.run(until_there_are_few())
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
