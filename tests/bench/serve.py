"""Look-ups of the API beside a bare FastAPI route, and the time from a record to its visibility, in one run.

    python -m tests.bench.serve [--profiles 100000] [--seconds 8] [--connections 8] [--updates 1000]

The profiles have 50 traits. The bare route returns bytes of the same length without a key or a database. Both servers
are processes of their own; only their own CPU time counts. Latencies are measured at half of the load that the API
reached. The visibility of a record is measured from its timestamp on a real Kafka to the first read of the database
that returns it, while ``--updates`` profiles a second are written.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import confluent_kafka
import msgspec
import uvloop

import schemas
from pipeline.avro.wire import Encoder
from pipeline.event.identifier import key_of
from pipeline.identity.messages import Assignment
from pipeline.identity.profile_id import profile_id
from pipeline.kafka.admin import ensure_topics
from pipeline.local.broker import broker
from pipeline.local.ports import free_ports
from pipeline.profile.records import FirstOrLastTouch, ProfileUpdate, Windows
from pipeline.query.naming import Naming
from pipeline.rules.load import load_rules
from pipeline.serve.access.keys import ApiKeys
from pipeline.serve.model.fold import Fold
from pipeline.serve.model.store import Store, store_of
from pipeline.serve.read.resolve import find_profile
from pipeline.settings import Settings
from pipeline.testing.log import MemoryRecord
from pipeline.topics import ASSIGNMENTS, UPDATES
from tests.bench.collect import driven, until_listening
from tests.bench.process import ProcessUse
from tests.support.waiting import eventually

BATCH, PROGRESS = 5_000, 100_000
TRAITS = 50
MARKER_SECONDS = 0.1
BARE = """
import sys, uvicorn
from fastapi import FastAPI, Response
app, body = FastAPI(openapi_url=None), b"x" * int(sys.argv[2])
@app.get("/v1/profiles/{ref}")
async def profile(ref: str) -> Response:
    return Response(body, media_type="application/json")
uvicorn.run(app, port=int(sys.argv[1]), http="httptools", loop="uvloop", lifespan="off", ws="none", access_log=False,
            log_level="error")
"""
encode_update = Encoder(UPDATES.value, schemas.own_id(UPDATES.value), ProfileUpdate)


def identifier(number: int) -> str:
    """The identifier by which a profile is looked up."""
    return f"user_id:u{number}"


def update(number: int, version: int = 1) -> bytes:
    """A profile with 50 traits, 10 aggregates and 3 segments."""
    traits = {f"trait_{place}": f"value {number % 97} of {place}" for place in range(TRAITS - 2)}
    names = {"firstName": f"Name{number % 5000}", "lastName": f"Family{number % 9000}"}
    touch = FirstOrLastTouch(1_772_366_400_000, "web", "Product Viewed", "spring", f"web/m{number}")
    return encode_update(
        ProfileUpdate(
            profile_id=profile_id("default", identifier(number)), tenant="default", version=version,
            as_of_ms=1_772_366_400_000, first_seen_ms=1_772_000_000_000, last_seen_ms=1_772_366_400_000,
            identifiers=[f"anonymous_id:a{number}", f"email:p{number}@example.org", identifier(number)],
            traits=msgspec.json.encode(traits | names).decode(),
            aggregates={f"aggregate_{place}": Windows(1, 2, 3, 4, 5, number % 100) for place in range(10)},
            scores={"engagement": float(number % 100)}, grade="B2", segments=["browsing", "engaged", "known"],
            first_touch=touch, last_touch=touch, consent='{"marketing":true}', cart="{}",
        )
    )  # fmt: skip


def fill(store: Store, settings: Settings, profiles: int) -> float:
    """Applies the updates of all profiles. Returns profiles applied in a second."""
    prefix, began = settings.topic_prefix, time.perf_counter()
    fold = Fold(schemas.text_of_own_id, prefix)
    for start in range(0, profiles, BATCH):
        records = []
        for number in range(start, min(profiles, start + BATCH)):
            ident = identifier(number)
            owner = profile_id("default", ident)
            assigned = msgspec.msgpack.encode(Assignment(owner, number))
            key = key_of("default", ident).encode()
            records.append(MemoryRecord(UPDATES.of(prefix), number, owner.encode(), update(number), None))
            records.append(MemoryRecord(ASSIGNMENTS.of(prefix), number, key, assigned, None))
        with store.writing() as connection:
            fold.apply(connection, records, into_feed=False)
        if start % PROGRESS == 0:
            print(f"{start} of {profiles} profiles written", file=sys.stderr, flush=True)
    return profiles / (time.perf_counter() - began)


def request(number: int, secret: str) -> bytes:
    """A look-up by identifier."""
    head = f"GET /v1/profiles/{identifier(number)} HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer {secret}"
    return f"{head}\r\nUser-Agent: bench\r\n\r\n".encode()


def measured(name: str, process: "subprocess.Popen[bytes]", port: int, requests: list[bytes], *, seconds: float,
             connections: int, pause_seconds: float = 0.0) -> tuple[float, float]:  # fmt: skip
    """Prints one row. Returns requests for a CPU second and requests a second."""
    use = ProcessUse(process.pid)
    uvloop.run(driven(port, requests, 1.0, connections))
    before, began = use.cpu_seconds(), time.perf_counter()
    latencies = sorted(uvloop.run(driven(port, requests, seconds, connections, pause_seconds)))
    cpu, count = use.cpu_seconds() - before, len(latencies)
    rate = count / (time.perf_counter() - began)
    quantiles = "  ".join(f"p{at} {latencies[min(count - 1, count * at // 100)] * 1000:6.2f} ms" for at in (50, 95, 99))
    print(f"{name:30} {count / cpu:7.0f} requests/CPU s {rate:7.0f} requests/s  {quantiles}", flush=True)
    return count / cpu, rate


def look_ups(settings: Settings, store: Store, options: argparse.Namespace) -> None:
    """Measures the API beside the bare route."""
    _, secret = ApiKeys(store).add("bench", scopes=["read", "read:pii"], requests_per_minute=0)
    with store.reading() as connection:
        length = len(connection.exec_driver_sql("SELECT body FROM profiles LIMIT 1").scalar_one())
    chosen = random.Random(7).choices(range(options.profiles), k=20_000)
    requests = [request(number, secret) for number in chosen]
    bare_port, port = free_ports(2)
    environment = {
        **os.environ,
        "STITCHLINE_HOME": str(settings.home),
        "STITCHLINE_TOPIC_PREFIX": settings.topic_prefix,
    }
    command = [sys.executable, "-m", "pipeline.cli", "serve", "--role", "api", "--port", str(port)]
    bare = subprocess.Popen([sys.executable, "-c", BARE, str(bare_port), str(length)])
    api = subprocess.Popen(command, env=environment)
    try:
        until_listening(bare_port)
        until_listening(port)
        load = {"seconds": options.seconds, "connections": options.connections}
        print(f"{options.profiles:,} profiles of {length} bytes; load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
        floor, _ = measured("bare FastAPI route", bare, bare_port, requests, **load)
        whole, rate = measured("look-up by identifier", api, port, requests, **load)
        pause = 2 * options.connections / rate
        measured("look-up at half load", api, port, requests, pause_seconds=pause, **load)
        print(f"the look-up does {whole / floor:.2f} of the bare route's requests for a CPU second")
    finally:
        for process in (api, bare):
            process.terminate()
            process.wait()


def visibility(settings: Settings, store: Store, options: argparse.Namespace) -> None:
    """Measures the time from a record's timestamp until a read returns it."""
    environment = {**os.environ, "STITCHLINE_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
                   "STITCHLINE_HOME": str(settings.home), "STITCHLINE_TOPIC_PREFIX": settings.topic_prefix}  # fmt: skip
    writer = subprocess.Popen([sys.executable, "-m", "pipeline.cli", "serve", "--role", "writer"], env=environment)
    producer = confluent_kafka.Producer({**settings.kafka(), "linger.ms": 5, "partitioner": "murmur2_random"})
    topic, stop = UPDATES.of(settings.topic_prefix), threading.Event()

    def send(number: int, version: int) -> None:
        producer.produce(topic, update(number, version), profile_id("default", identifier(number)))
        producer.poll(0)

    def load() -> None:
        number, began = 0, time.monotonic()
        while not stop.wait(0.05):
            while number < (time.monotonic() - began) * options.updates:
                number += 1
                send(1 + number % (options.profiles - 1), 2)

    def version() -> int:
        with store.reading() as connection:
            found = find_profile(connection, naming, "default", identifier(0))
            return found.version if found else 0

    naming = Naming(load_rules(settings.rules_dir))
    try:
        send(0, 2)
        producer.flush()
        eventually(lambda: version() == 2, "the writer follows")
        threading.Thread(target=load, daemon=True).start()
        delays = []
        for marker in range(3, 3 + int(options.seconds * 2 / MARKER_SECONDS)):
            began = time.perf_counter()
            send(0, marker)
            eventually(lambda marker=marker: version() >= marker, "the update is visible", interval_seconds=0.005)
            delays.append(time.perf_counter() - began)
            time.sleep(MARKER_SECONDS)
        delays.sort()
        quantiles = "  ".join(
            f"p{at} {delays[min(len(delays) - 1, len(delays) * at // 100)]:.3f} s" for at in (50, 95, 99)
        )
        print(f"record to visible at {options.updates} updates/s, {len(delays)} markers: {quantiles}")
    finally:
        stop.set()
        writer.terminate()
        writer.wait()


def main() -> None:
    """Runs both measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--updates", type=int, default=1000)
    options = parser.parse_args()
    with broker() as kafka, tempfile.TemporaryDirectory() as folder:
        settings = Settings(bootstrap_servers=kafka.bootstrap_servers, home=Path(folder), topic_prefix="benchserve")
        ensure_topics(settings)
        store = store_of(settings)
        store.prepare(settings.topic_prefix)
        print(f"{fill(store, settings, options.profiles):,.0f} profiles applied a second (update and assignment)")
        look_ups(settings, store, options)
        visibility(settings, store, options)
        store.close()


if __name__ == "__main__":
    main()
