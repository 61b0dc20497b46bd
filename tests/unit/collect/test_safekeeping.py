"""Where records go: to Kafka, to the spool while Kafka is away, and from it in order once Kafka is back."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st

from connectors.collect.encode import Outgoing
from connectors.collect.safekeeping import keeper as keeper_module
from connectors.collect.safekeeping.frames import frame, read_frames
from connectors.collect.safekeeping.kafka_line import KafkaLine
from connectors.collect.safekeeping.keeper import Keeper
from connectors.collect.safekeeping.segments import REFUSED, segment_paths
from connectors.collect.safekeeping.spool import Spool, SpoolFullError, SpoolInUseError
from pipeline.obs import metrics as m
from pipeline.obs.metrics import Metrics

MIB = 1 << 20


def record(number: int, size: int = 10) -> Outgoing:
    return Outgoing("cdp.events.web.v1", b"k", str(number).encode().rjust(size, b"."), [("h", b"x")])


def number_of(outgoing: Outgoing) -> int:
    return int(outgoing.value.lstrip(b"."))


class FakeKafka:
    """A line to Kafka that a test switches off and on."""

    def __init__(self) -> None:
        self.there, self.refuses = True, -1
        self.taken: list[int] = []

    async def send(self, records: Sequence[Outgoing]) -> bool:
        await asyncio.sleep(0)
        if not self.there or self.refuses in map(number_of, records):
            return False
        self.taken += map(number_of, records)
        return True

    def send_then(self, records: Sequence[Outgoing], done: Callable[[bool], None]) -> None:
        async def sent() -> None:
            done(await self.send(records))

        self.sending = asyncio.get_running_loop().create_task(sent())

    async def send_one(self, outgoing: Outgoing) -> bool | None:
        if self.there and number_of(outgoing) == self.refuses:
            return None
        return await self.send([outgoing])

    def give_up_queued(self) -> None:
        """Nothing is queued."""

    async def prepare(self) -> None:
        if not self.there:
            raise ConnectionError


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> FakeKafka:
    monkeypatch.setattr(keeper_module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(keeper_module, "MAX_PAUSE_SECONDS", 0.001)
    return FakeKafka()


def keeping(
    folder: Path, kafka: FakeKafka, story: Callable[[Keeper, Spool], Awaitable[None]], max_bytes: int = MIB
) -> Metrics:
    metrics = Metrics()

    async def run() -> None:
        spool = Spool(folder, max_bytes, segment_bytes=500)
        keeper = Keeper(kafka, spool, metrics, kafka.prepare, away=not kafka.there)
        await story(keeper, spool)
        await keeper.close()

    asyncio.run(run())
    return metrics


async def kept(keeper: Keeper, records: list[Outgoing]) -> None:
    """Returns once the records are safe; raises the reason why they are not."""
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    keeper.keep(records, lambda error: answer.set_exception(error) if error else answer.set_result(None))
    await answer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


def test_while_kafka_is_there_nothing_is_spooled(kafka: FakeKafka, tmp_path: Path) -> None:
    async def story(keeper: Keeper, spool: Spool) -> None:
        await kept(keeper, [record(1), record(2)])
        assert spool.is_empty

    keeping(tmp_path, kafka, story)
    assert kafka.taken == [1, 2]


def test_an_outage_is_spooled_and_drained_in_order_before_anything_newer(kafka: FakeKafka, tmp_path: Path) -> None:
    async def story(keeper: Keeper, spool: Spool) -> None:
        await kept(keeper, [record(1)])
        kafka.there = False
        await asyncio.gather(*(kept(keeper, [record(number)]) for number in range(2, 60)))
        assert keeper.is_spooling
        kafka.there = True
        for number in range(60, 120):
            await kept(keeper, [record(number)])
        await until(lambda: not keeper.is_spooling)
        await kept(keeper, [record(120)])

    metrics = keeping(tmp_path, kafka, story)
    assert kafka.taken == list(range(1, 121))
    assert metrics.value(m.COLLECT_SPOOL_BYTES) == 0
    assert metrics.value(m.COLLECT_SPOOLED) == metrics.value(m.COLLECT_DRAINED) >= 58
    assert segment_paths(tmp_path) == []


def test_a_spool_that_was_left_is_drained_at_the_next_start(kafka: FakeKafka, tmp_path: Path) -> None:
    async def fill(keeper: Keeper, _: Spool) -> None:
        for number in range(40):
            await kept(keeper, [record(number)])

    async def drain(keeper: Keeper, _: Spool) -> None:
        await until(lambda: not keeper.is_spooling)

    kafka.there = False
    keeping(tmp_path, kafka, fill)
    assert kafka.taken == []
    kafka.there = True
    keeping(tmp_path, kafka, drain)
    assert kafka.taken == list(range(40))


def test_a_full_spool_refuses_all_of_a_request_and_takes_the_next_that_fits(kafka: FakeKafka, tmp_path: Path) -> None:
    kafka.there = False

    async def story(keeper: Keeper, spool: Spool) -> None:
        await kept(keeper, [record(1, 300)])
        before = spool.size_bytes
        with pytest.raises(SpoolFullError):
            await kept(keeper, [record(2), record(3, 900)])
        assert spool.size_bytes == before
        await kept(keeper, [record(4)])
        kafka.there = True
        await until(lambda: not keeper.is_spooling)

    keeping(tmp_path, kafka, story, max_bytes=1000)
    assert kafka.taken == [1, 4]


def test_a_record_that_kafka_refuses_for_good_is_set_aside_and_stops_nothing(kafka: FakeKafka, tmp_path: Path) -> None:
    async def story(keeper: Keeper, _: Spool) -> None:
        kafka.refuses = 2
        await kept(keeper, [record(1), record(2), record(3)])
        await until(lambda: not keeper.is_spooling)

    metrics = keeping(tmp_path, kafka, story)
    assert kafka.taken == [1, 3]
    assert [number_of(kept) for kept, _ in read_frames((tmp_path / REFUSED).read_bytes())] == [2]
    assert metrics.value(m.COLLECT_REFUSED) == 1


def test_a_second_collector_on_the_folder_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MIB)
    with pytest.raises(SpoolInUseError, match="STITCHLINE_HOME"):
        Spool(tmp_path, MIB)
    asyncio.run(spool.close())


def test_a_full_disk_is_a_full_spool_and_leaves_no_half_record(
    kafka: FakeKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.there = False

    async def story(keeper: Keeper, _: Spool) -> None:
        await kept(keeper, [record(1)])
        with monkeypatch.context() as patched:
            patched.setattr("os.fsync", _no_space)
            with pytest.raises(SpoolFullError):
                await kept(keeper, [record(2)])
        await kept(keeper, [record(3)])
        kafka.there = True
        await until(lambda: not keeper.is_spooling)

    keeping(tmp_path, kafka, story)
    assert kafka.taken == [1, 3]


def _no_space(_: int) -> None:
    raise OSError(28, "No space left on device")


@given(cut=st.integers(0, 200), flip=st.none() | st.integers(0, 199))
def test_a_broken_end_of_a_segment_costs_only_what_is_broken(cut: int, flip: int | None) -> None:
    data = bytearray(b"".join(frame(record(number)) for number in range(4)))[: -cut or None]
    if flip is not None and flip < len(data):
        data[flip] ^= 1
    numbers = [number_of(read) for read, _ in read_frames(bytes(data))]
    assert numbers == list(range(len(numbers)))
    size = len(frame(record(0)))
    intact = min(len(data) // size, flip // size if flip is not None and flip < len(data) else 99)
    assert len(numbers) == intact


def test_a_cut_end_is_kept_beside_and_the_rest_is_read(tmp_path: Path, kafka: FakeKafka) -> None:
    whole = frame(record(1)) + frame(record(2))
    (tmp_path / "0000000000000007.spool").write_bytes(whole + frame(record(3))[:-1])

    async def story(keeper: Keeper, _: Spool) -> None:
        await until(lambda: not keeper.is_spooling)

    keeping(tmp_path, kafka, story)
    assert kafka.taken == [1, 2]
    assert (tmp_path / "0000000000000007.damaged").read_bytes() == frame(record(3))[:-1]


class FakeProducer:
    """A producer whose delivery reports a test controls."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.error: KafkaError | None = None
        self.answers, self.room = True, 100

    def produce(self, topic: str, value: bytes, key: bytes | None, **sent: Any) -> None:
        if len(self.waiting) >= self.room:
            raise BufferError
        self.waiting.append(sent["on_delivery"])

    def poll(self, timeout: float) -> None:
        if self.answers:
            while self.waiting:
                self.waiting.pop(0)(self.error, None)

    def purge(self, *, in_queue: bool, in_flight: bool) -> None:
        """Reports nothing."""

    def flush(self, timeout: float) -> int:
        return len(self.waiting)


@pytest.mark.parametrize(
    ("error", "answers", "room", "expected"),
    [
        (None, True, 100, True),
        (KafkaError(KafkaError._TRANSPORT), True, 100, False),
        (None, False, 100, False),
        (None, True, 1, False),
        (None, True, 0, False),
    ],
)
def test_a_line_is_certain_only_of_what_is_reported(
    error: KafkaError | None, answers: bool, room: int, expected: bool
) -> None:
    producer = FakeProducer()
    producer.error, producer.answers, producer.room = error, answers, room

    async def run() -> bool:
        line = KafkaLine({}, 0.05, lambda *_: producer)
        sent = await line.send([record(1), record(2)])
        await line.close(0)
        return sent

    assert asyncio.run(run()) is expected


def test_a_producer_that_has_failed_for_good_is_replaced() -> None:
    class Broken(FakeProducer):
        def produce(self, topic: str, value: bytes, key: bytes | None, **sent: Any) -> None:
            raise KafkaException(KafkaError(KafkaError._FATAL, "out of order", fatal=True))

    producers: list[FakeProducer] = [FakeProducer(), Broken()]

    async def run() -> list[bool]:
        line = KafkaLine({}, 5, lambda *_: producers.pop())
        return [await line.send([record(1)]), await line.send([record(2)])]

    assert asyncio.run(run()) == [False, True]


def test_a_record_that_is_refused_for_good_is_told_apart() -> None:
    producer = FakeProducer()
    producer.error = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)

    async def run() -> bool | None:
        line = KafkaLine({}, 5, lambda *_: producer)
        return await line.send_one(record(1))

    assert asyncio.run(run()) is None
