"""Requests and events per CPU second of the collector, beside uvicorn's bare loop in the same run.

    python -m tests.bench.collect [--seconds 8] [--connections 16] [--rounds 1]

Rounds alternate between the two, and the best of each counts: other work on the machine displaces the caches of both.

The bare loop is a raw ASGI application that decodes the body and encodes it again. The collector writes to a real
Kafka. Both are servers in processes of their own, on
uvloop and httptools, driven by the same client; only their own CPU time counts.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from connectors.collect.source_edit import SourceText, with_source
from connectors.collect.write_keys import hash_of
from pipeline.local.broker import broker
from pipeline.local.ports import free_ports
from tests.bench.process import ProcessUse

KEY = "wk_bench"
BATCH = 100
BARE = """
import msgspec, sys, uvicorn, uvloop
decode, encode = msgspec.json.decode, msgspec.json.encode
async def app(scope, receive, send):
    message = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    encode(decode(body))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
uvicorn.run(app, port=int(sys.argv[1]), http="httptools", loop="uvloop", lifespan="off", ws="none", access_log=False,
            log_level="error")
"""


class Client(asyncio.Protocol):
    """One connection that sends its requests one after the other and measures each."""

    def __init__(self, requests: list[bytes], latencies: list[float], pause_seconds: float) -> None:
        self._requests, self._latencies, self._pause = requests, latencies, pause_seconds
        self._next, self._sent_at, self._buffer = 0, 0.0, b""
        self._transport: asyncio.Transport
        self.stopped = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        assert head.startswith(b"HTTP/1.1 200"), self._buffer
        self._buffer = b""
        self._latencies.append(time.perf_counter() - self._sent_at)
        if not self.stopped:
            asyncio.get_running_loop().call_later(self._pause, self._send) if self._pause else self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 1


def event(number: int) -> dict[str, object]:
    """A Segment track call of about 850 bytes."""
    return {
        "type": "track", "event": "Product Viewed", "messageId": f"ajs-{number:032d}", "userId": f"u{number % 5000}",
        "anonymousId": f"anon-{number % 5000:036d}", "timestamp": "2026-09-21T13:00:00.000Z",
        "properties": {"product_id": "507f1", "sku": "G-32", "category": "Games", "name": "Monopoly", "price": 18.99,
                       "quantity": 1, "currency": "EUR", "url": "https://shop.example/product/507f1", "position": 3},
        "context": {"library": {"name": "analytics.js", "version": "1.84.3"}, "locale": "de-DE",
                    "page": {"path": "/product/507f1", "referrer": "https://www.example.org/", "search": "?utm=x",
                             "title": "Game", "url": "https://shop.example/product/507f1?utm_source=x"},
                    "timezone": "Europe/Berlin", "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"},
    }  # fmt: skip


def request(path: str, body: object) -> bytes:
    content = msgspec.json.encode(body)
    key = b64encode(f"{KEY}:".encode()).decode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n"
        f"Authorization: Basic {key}\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def driven(
    port: int, requests: list[bytes], seconds: float, connections: int, pause_seconds: float = 0.0
) -> list[float]:
    """Latencies of all requests within the time."""
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    clients = []
    for place in range(connections):
        own = requests[place::connections] or requests
        transport, client = await loop.create_connection(
            lambda own=own: Client(own, latencies, pause_seconds), "127.0.0.1", port
        )
        clients.append((transport, client))
    await asyncio.sleep(seconds)
    for _, client in clients:
        client.stopped = True
    await asyncio.sleep(0.5)
    for transport, _ in clients:
        transport.close()
    return latencies


def measured(name: str, process: subprocess.Popen[bytes], port: int, requests: list[bytes], per_request: int,
             options: argparse.Namespace, pause_seconds: float = 0.0) -> float:  # fmt: skip
    """Prints one row. Returns the server's CPU microseconds for a request."""
    use = ProcessUse(process.pid)
    uvloop.run(driven(port, requests, 1.0, options.connections))  # caches, connections to the broker
    before, began = use.cpu_seconds(), time.perf_counter()
    latencies = sorted(uvloop.run(driven(port, requests, options.seconds, options.connections, pause_seconds)))
    cpu, wall = use.cpu_seconds() - before, time.perf_counter() - began
    count = len(latencies)
    micros = cpu / count * 1e6
    print(
        f"{name:26} {micros:8.1f} µs CPU/request {1e6 / micros:8.0f} requests/CPU s "
        f"{per_request * 1e6 / micros:8.0f} events/CPU s {count / wall:7.0f} requests/s  "
        f"p50 {latencies[count // 2] * 1000:6.1f} ms  p99 {latencies[int(count * 0.99)] * 1000:6.1f} ms"
        f"  peak {use.peak_mb():4.0f} MB",
        flush=True,
    )
    return micros


def until_listening(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    singles = [request("/v1/track", event(number)) for number in range(20_000)]
    batches = [
        request("/v1/batch", {"batch": [event(number * BATCH + item) for item in range(BATCH)]})
        for number in range(400)
    ]
    bare_port, port = free_ports(2)
    with broker() as kafka, tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "rules").mkdir()
        (home / "rules/sources.yaml").write_text(with_source("", SourceText("shop", "web", hash_of(KEY))))
        environment = {
            **os.environ, "STITCHLINE_HOME": folder, "STITCHLINE_RULES_DIR": str(home / "rules"),
            "STITCHLINE_COLLECT_PORT": str(port), "STITCHLINE_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        }  # fmt: skip
        bare = subprocess.Popen([sys.executable, "-c", BARE, str(bare_port)])
        door = subprocess.Popen([sys.executable, "-m", "pipeline.cli", "collect"], env=environment)
        try:
            until_listening(bare_port)
            until_listening(port)
            print(f"{kafka.description}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
            for name, requests, events in (("single", singles, 1), (f"batch of {BATCH}", batches, BATCH)):
                floor = whole = float("inf")
                for _ in range(options.rounds):
                    floor = min(floor, measured(f"bare loop, {name}", bare, bare_port, requests, events, options))
                    whole = min(whole, measured(f"collector, {name}", door, port, requests, events, options))
                share = floor / whole
                print(
                    f"{name}: the collector does {share:.2f} of the bare loop's requests per CPU second, best of each"
                )
        finally:
            for process in (door, bare):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
