"""Requests and events per CPU second of the collector, beside uvicorn's bare loop in the same run.

    python -m tests.bench.collect [--seconds 8] [--connections 16] [--rounds 1]
    python -m tests.bench.collect --soak 600 --connections 64   # memory over ten minutes of full load, and nothing else

Rounds alternate between the two, and the best of each counts: other work on the machine displaces the caches of both.
A closed loop of few clients keeps the bare loop busy, which finds its caches warm, while the collector waits for the
brokers. So a third row paces the bare loop to the collector's rate. A fourth one has the collector at half its rate.

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
from typing import Any, NamedTuple, TypeAlias

import msgspec
import uvloop

from connectors.collect.source_edit import SourceText, with_source
from connectors.collect.write_keys import hash_of
from pipeline.local.broker import broker
from pipeline.local.ports import free_ports
from tests.bench.process import ProcessUse

Server: TypeAlias = tuple[subprocess.Popen[bytes], int]
"""A server's process and port."""
KEY = "wk_bench"
BATCH = 100
FIRST_ANSWER_SECONDS = 60.0
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
    """One connection that sends its requests one after the other and measures each.

    ``interval_seconds`` is the time from the start of one request to that of the next; 0: as fast as answers come.
    """

    def __init__(self, requests: list[bytes], latencies: list[float], interval_seconds: float) -> None:
        self._requests, self._latencies, self._interval = requests, latencies, interval_seconds
        self._next, self._sent_at, self._buffer = 0, 0.0, b""
        self._transport: asyncio.Transport
        self.stopped = False
        self.refused = 0

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
        self._buffer = b""
        seconds = time.perf_counter() - self._sent_at
        if head.startswith(b"HTTP/1.1 200"):
            self._latencies.append(seconds)
        else:
            self.refused += 1  # 503 while Kafka is away and the spool is full
        if not self.stopped and seconds < self._interval:
            asyncio.get_running_loop().call_later(self._interval - seconds, self._send)
        elif not self.stopped:
            self._send()

    def _send(self) -> None:
        if self.stopped or self._transport.is_closing():
            return
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
    port: int, requests: list[bytes], seconds: float, connections: int, interval_seconds: float = 0.0
) -> list[float]:
    """Latencies of all requests within the time, or up to the first if none was answered within it.

    On a busy machine all connections may wait for their first batch for longer than that.
    """
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    clients = []
    for place in range(connections):
        own = requests[place::connections] or requests
        transport, client = await loop.create_connection(
            lambda own=own: Client(own, latencies, interval_seconds), "127.0.0.1", port
        )
        clients.append((transport, client))
    await asyncio.sleep(seconds)
    end = loop.time() + FIRST_ANSWER_SECONDS
    while not latencies and loop.time() < end:
        await asyncio.sleep(0.1)
    for _, client in clients:
        client.stopped = True
    await asyncio.sleep(0.5)
    for transport, _ in clients:
        transport.close()
    if refused := sum(client.refused for _, client in clients):
        print(f"{refused} requests were refused", flush=True)
    return latencies


class Row(NamedTuple):
    """What one measurement gave."""

    micros: float
    """The server's CPU microseconds for a request."""
    rate: float
    """Requests per second."""


def measured(name: str, process: subprocess.Popen[bytes], port: int, requests: list[bytes], per_request: int,
             options: argparse.Namespace, rate: float = 0.0) -> Row:  # fmt: skip
    """Prints and returns one row. ``rate``: requests per second of all clients; 0: as fast as answers come."""
    use = ProcessUse(process.pid)
    interval = options.connections / rate if rate else 0.0
    uvloop.run(driven(port, requests, 1.0, options.connections))  # caches, connections to the broker
    before, began = use.cpu_seconds(), time.perf_counter()
    latencies = sorted(uvloop.run(driven(port, requests, options.seconds, options.connections, interval)))
    cpu, wall = use.cpu_seconds() - before, time.perf_counter() - began
    count = len(latencies)
    if not count:
        print(f"{name:32} no answer within {wall:.0f} s", flush=True)
        return Row(float("inf"), 0.0)
    micros = cpu / count * 1e6
    print(
        f"{name:32} {micros:8.1f} µs CPU/request {1e6 / micros:8.0f} requests/CPU s "
        f"{per_request * 1e6 / micros:8.0f} events/CPU s {count / wall:7.0f} requests/s  "
        f"p50 {latencies[count // 2] * 1000:6.1f} ms  p99 {latencies[int(count * 0.99)] * 1000:6.1f} ms"
        f"  peak {use.peak_mb():4.0f} MB",
        flush=True,
    )
    return Row(micros, count / wall)


def compare(name: str, bare: Server, door: Server, requests: list[bytes], events: int,
            options: argparse.Namespace) -> None:  # fmt: skip
    """Prints the rows of one kind of request, and the shares that the best of them give."""
    floor = whole = paced = float("inf")
    for _ in range(options.rounds):
        floor = min(floor, measured(f"bare loop, {name}", *bare, requests, events, options).micros)
        full = measured(f"collector, {name}", *door, requests, events, options)
        whole = min(whole, full.micros)
        same = measured(f"bare loop at its rate, {name}", *bare, requests, events, options, full.rate)
        paced = min(paced, same.micros)
        measured(f"collector, half load, {name}", *door, requests, events, options, full.rate / 2)
    print(
        f"{name}: the collector does {floor / whole:.2f} of the bare loop's requests per CPU second, "
        f"{paced / whole:.2f} at the same rate; best of each"
    )


def soak(door: Server, requests: list[bytes], options: argparse.Namespace) -> None:
    """Prints the collector's memory every tenth of the time, under full load, and what it did meanwhile."""
    use = ProcessUse(door[0].pid)
    for part in range(11):
        answered, cpu = 0, use.cpu_seconds()
        if part:
            answered = len(uvloop.run(driven(door[1], requests, options.soak / 10, options.connections)))
        print(
            f"after {options.soak / 10 * part:6.0f} s: {use.memory_mb():6.1f} MB, peak {use.peak_mb():.1f}; "
            f"{answered} requests answered, {use.cpu_seconds() - cpu:.1f} s of CPU",
            flush=True,
        )


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
    parser.add_argument("--soak", type=float, default=0.0, help="seconds of full load; prints memory, compares nothing")
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
            if options.soak:
                soak((door, port), singles, options)
                return
            for name, requests, events in (("single", singles, 1), (f"batch of {BATCH}", batches, BATCH)):
                compare(name, (bare, bare_port), (door, port), requests, events, options)
        finally:
            for process in (door, bare):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
