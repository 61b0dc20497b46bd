"""A spool's reader and the thread that waits for the disk: only the event loop's thread changes the spool's state.

A record that was durable in a full segment was once lost: the thread had begun the next segment between two steps of
:meth:`Spool.delivered`, which then took the full one for read to its end.
"""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from connectors.collect.encode import Outgoing
from connectors.collect.safekeeping.spool import Spool

RECORDS = 100


class OneThreadSpool(Spool):
    """A spool that refuses changes by another thread than the one that opened it."""

    def __setattr__(self, name: str, value: Any) -> None:
        assert threading.current_thread() is threading.main_thread(), f"{name} is changed in another thread"
        super().__setattr__(name, value)


@pytest.mark.parametrize("segment_bytes", [1, 60, 500])
def test_every_durable_record_is_delivered_while_segments_change(tmp_path: Path, segment_bytes: int) -> None:
    async def appended(spool: Spool) -> None:
        for number in range(RECORDS):
            await spool.append([Outgoing("cdp.events.web.v1", b"k", str(number).encode(), [])])

    async def run() -> list[int]:
        spool, delivered = OneThreadSpool(tmp_path, 1 << 20, segment_bytes=segment_bytes), list[int]()
        appending = asyncio.create_task(appended(spool))
        async with asyncio.timeout(60):
            while not (appending.done() and spool.is_empty):
                chunk = spool.peek(500)
                await asyncio.sleep(0)
                if chunk:
                    delivered += [int(record.value) for record, _ in chunk]
                    spool.delivered(chunk[-1][1])
        await appending
        await spool.close()
        return delivered

    assert asyncio.run(run()) == list(range(RECORDS))
