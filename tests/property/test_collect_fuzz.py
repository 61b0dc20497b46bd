"""Whatever arrives on whatever path, the collector answers, and every item is accepted or quarantined byte by byte.

``STITCHLINE_SEEDS`` is the number of mutated requests (default 600). Mutations start from requests of real SDKs.
"""

import gzip
import os
import random
import zlib
from base64 import b64decode
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.collect.routes import GET, POST, route_of
from connectors.collect.write_keys import hash_of
from tests.support.collecting import KEY, Door, Reply, shop

SEEDS = int(os.environ.get("STITCHLINE_SEEDS", "600"))
FIRST = int(os.environ.get("STITCHLINE_FIRST_SEED", "0"))
RECORDED = Path(__file__).parents[1] / "unit/collect/recorded"
PIECES = [
    b"null", b"[]", b"{}", b'""', b"-1", b"1e400", b"NaN", b"true", b'"\\ud83d"', b"123456789012345678901234567890",
    b'{"batch":', b'"context":[]', b'"timestamp":"x"', b'"userId":{}', b"[" * 3000, b"\x00", b"\xff", b'"\\u0000"',
    b'"$set":1', b'"type":"alias"', b'"previousId":[1]', b'"traits":{"email":{}}', b'"data":[[]]', b"\x1f\x8b",
    b"data=",
]  # fmt: skip
NAMES = st.sampled_from([
    "batch", "events", "type", "event", "userId", "anonymousId", "timestamp", "sentAt", "context", "traits",
    "properties", "messageId", "distinct_id", "$set", "$set_once", "uuid", "offset", "data", "e", "ue_px", "co", "aid",
    "stm", "dtm", "id", "source", "specversion", "data_base64", "writeKey", "api_key", "identifiers", "previousId",
    "groupId", "receivedAt",
])  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=8), inner, max_size=6),
    max_leaves=25,
)


def bodies() -> list[tuple[str, str, dict[str, str], bytes]]:
    """Method, target, headers and decompressed body of each recorded request that has events."""
    result = []
    for path in sorted(RECORDED.iterdir()):
        for line in path.read_text().splitlines():
            request = msgspec.json.decode(line)
            if route_of(request["method"], request["target"].partition("?")[0]) is None:
                continue  # a preflight, or a page that an SDK asks for
            body = b64decode(request["body_base64"])
            body = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
            headers = {name: text for name, text in request["headers"].items() if name.startswith("ce-")}
            result.append((request["method"], request["target"], headers, body))
    return result


SEEDED = bodies()


def check(door: Door, reply: Reply, sent: bytes) -> None:
    """The answer is one that an SDK understands, and nothing of the body is lost."""
    assert reply.status in {200, 413}, reply.body
    if reply.status != 200:
        return
    for raw, facts in door.kept.quarantined:
        assert raw in sent
        assert facts["reason"]
        assert facts["detail"]
    if b"accepted" in reply.body:
        outcome = reply.json()
        assert outcome["accepted"] == len(door.kept.events)
        assert len(outcome["rejected"]) == len(door.kept.quarantined)


def mutated(body: bytes, chance: random.Random) -> bytes:
    result = bytearray(body)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(result) + 1)
        match chance.randrange(5):
            case 0:
                result[at:at] = chance.choice(PIECES)
            case 1:
                del result[at : at + chance.randrange(1, 40)]
            case 2 if at < len(result):
                result[at] = chance.randrange(256)
            case 3:
                result[at : at + chance.randrange(1, 20)] = chance.choice(PIECES)
            case _:
                end = chance.randrange(at, len(result) + 1)
                result[at:at] = result[at:end][:2000]
    return bytes(result)


@pytest.fixture(scope="module")
def door() -> Door:
    return Door(shop(origins=["*"], write_keys=[hash_of(KEY)]))


def test_mutated_requests_of_real_sdks(door: Door) -> None:
    for seed in range(FIRST, FIRST + SEEDS):
        chance = random.Random(seed)
        method, target, headers, body = chance.choice(SEEDED)
        door.kept.records.clear()
        if method == "GET":
            query = mutated(target.partition("?")[2].encode(), chance).decode("latin-1")
            target = f"{chance.choice(list(GET))}?{quote(query, safe='&=%+')}"
            reply, sent = door.send("GET", target), target.encode()
        else:
            sent = mutated(body, chance)
            target = target.partition("?")[0] if chance.random() < 0.7 else chance.choice(list(POST))
            packed = gzip.compress(sent, 1) if chance.random() < 0.2 else sent
            reply = door.send("POST", target, packed, headers if chance.random() < 0.9 else {})
            sent = sent if packed is sent or packed.startswith(b"\x1f\x8b") else packed
        try:
            check(door, reply, _readable(sent) + sent)
        except AssertionError as error:
            error.add_note(f"replay: STITCHLINE_FIRST_SEED={seed} STITCHLINE_SEEDS=1")
            raise


def _readable(sent: bytes) -> bytes:
    """What a mutation that made the body begin like gzip or like a form unpacks to."""
    try:
        if sent.startswith(b"\x1f\x8b"):
            return gzip.decompress(sent)
        return b64decode(sent.partition(b"=")[2]) if sent.startswith(b"data=") else b""
    except (OSError, EOFError, ValueError, zlib.error):
        return b""


@settings(max_examples=150)
@given(path=st.sampled_from(sorted(POST)), value=json_values)
def test_any_json_on_any_path(door: Door, path: str, value: object) -> None:
    door.kept.records.clear()
    try:
        body = msgspec.json.encode(value)
    except (UnicodeEncodeError, ValueError):
        return
    check(door, door.send("POST", path, body), body)


@settings(max_examples=100)
@given(path=st.sampled_from(sorted(POST)), body=st.binary(max_size=200))
def test_any_bytes_on_any_path(door: Door, path: str, body: bytes) -> None:
    door.kept.records.clear()
    check(door, door.send("POST", path, body), body + _readable(body))


@settings(max_examples=100)
@given(path=st.sampled_from(sorted(GET)), query=st.text(max_size=200))
def test_any_query_on_any_path(door: Door, path: str, query: str) -> None:
    door.kept.records.clear()
    target = f"{path}?{quote(query, safe='&=%', errors='replace')}"
    check(door, door.send("GET", target), target.encode())
