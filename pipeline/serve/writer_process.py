"""Runs the writer as a child, so that applying records does not delay answers. Restarts it when it ends."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from typing import Final

from pipeline.backoff import Backoff
from pipeline.obs.log import logger

GRACE_SECONDS: Final = 10.0

log = logger(__name__)


class WriterProcess:
    """``stitchline serve --role writer`` as a child. It ends when its standard input ends, and so with this process."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """``environment`` is added to that of this process."""
        self._environment = {**os.environ, **environment}
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Keeps the writer running until cancelled, and then stops it."""
        backoff = Backoff()
        try:
            while True:
                began = time.monotonic()
                self._process = await self._start()
                code = await self._process.wait()
                pause = backoff.failed(time.monotonic() - began)
                log.warning("serve_writer_ended", exit_code=code, restarted_in_seconds=pause)
                await asyncio.sleep(pause)
        finally:
            await self._stop()

    async def _start(self) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "pipeline.cli", "serve", "--role", "writer", "--supervised"]
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, env=self._environment, start_new_session=True
        )

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
