"""The health port under clients that are slow, many or not speaking HTTP."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pipeline.obs.http_door import HttpDoor, MalformedRequestError, Page, Request, parse_head
from tests.support.waiting import deadline_seconds

GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


def served(body: Callable[[int], Awaitable[None]], **options: float) -> None:
    async def run() -> None:
        door = HttpDoor({"/livez": lambda _: Page(b"fine", "text/plain")}, **options)  # type: ignore[arg-type]
        port = await door.start("127.0.0.1", 0)
        try:
            async with asyncio.timeout(deadline_seconds()):
                await body(port)
        finally:
            await door.stop()

    asyncio.run(run())


async def answer(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    received = await reader.read()
    writer.close()
    return received


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (GET, b"200 OK"),
        (b"HEAD /livez HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"GET /livez?x=1 HTTP/1.0\r\n\r\n", b"200 OK"),
        (b"GET /other HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /livez HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400 Bad Request"),
        (b"GET /livez\r\n\r\n", b"400 Bad Request"),
        (b"GET /livez HTTP/1.1\r\nno colon\r\n\r\n", b"400 Bad Request"),
        (b"GET /livez HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", b"400 Bad Request"),
    ],
)
def test_a_request_gets_its_answer_and_a_malformed_one_a_400_without_a_log_line(
    sent: bytes, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(port: int) -> None:
        assert (await answer(port, sent)).startswith(b"HTTP/1.1 " + status + b"\r\n")

    with caplog.at_level(logging.DEBUG):
        served(body)
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_a_connection_that_sends_no_request_is_closed_after_the_read_time_out() -> None:
    async def body(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET[:-2])
        assert await reader.read() == b""
        writer.close()

    served(body, read_seconds=0.2)


def test_a_health_check_gets_through_a_crowd_of_half_open_connections() -> None:
    async def body(port: int) -> None:
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        assert (await answer(port, GET)).endswith(b"fine")
        for _, writer in crowd:
            writer.close()

    served(body, max_connections=8, read_seconds=deadline_seconds())


CHILD = """
import asyncio, resource, sys
from pipeline.obs.http import HealthServer
from pipeline.obs.metrics import Metrics
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
async def main():
    server = HealthServer(Metrics())
    await server.start()
    print(server.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop()
asyncio.run(main())
"""


def test_hundreds_of_half_open_connections_do_not_exhaust_the_descriptors_of_the_process() -> None:
    root = Path(__file__).parents[3]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", CHILD], text=True, cwd=root, **pipes) as child:  # type: ignore[call-overload]
        port = int(child.stdout.readline())

        async def crowd() -> None:
            current = [await asyncio.open_connection("127.0.0.1", port) for _ in range(400)]
            assert (await answer(port, GET)).startswith(b"HTTP/1.1 200 OK")
            for _, writer in current:
                writer.close()

        asyncio.run(asyncio.wait_for(crowd(), deadline_seconds()))
        _, complaints = child.communicate("", deadline_seconds())
    assert complaints == ""
    assert child.returncode == 0


def test_a_head_is_read_with_lower_case_names() -> None:
    head = b"GET /metrics HTTP/1.1\r\nAccept: text/plain\r\n\r\n"
    assert parse_head(head) == Request("GET", "/metrics", {"accept": "text/plain"})
    with pytest.raises(MalformedRequestError):
        parse_head(b"\r\n\r\n")
