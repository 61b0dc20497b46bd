"""The ordered buffer against a plain sorted dict, over commits, aborts and reopened stores."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from pipeline.state import layout, ordered
from pipeline.state.ordered import OrderedBuffer
from pipeline.state.store import PartitionStore
from pipeline.testing.store import MemoryStore

NUMBERS = st.integers(0, 400)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(NUMBERS, min_size=1, max_size=8)),
        st.tuples(st.just("take"), st.tuples(NUMBERS, st.integers(1, 6))),
        st.tuples(st.just("commit"), st.none()),
        st.tuples(st.just("abort"), st.none()),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=60,
)


def key_of(number: int, serial: int) -> bytes:
    return number.to_bytes(2) + serial.to_bytes(2)


@given(STEPS, st.sampled_from([1, 2, 256]))
def test_rows_come_out_in_order_and_once_whatever_is_committed_or_aborted(steps: list[Any], page: int) -> None:
    store = cast("PartitionStore", MemoryStore())
    buffer = OrderedBuffer(layout.HELD, store)
    durable: dict[bytes, bytes] = {}
    expected: dict[bytes, bytes] = {}
    serial = 0
    before, ordered.PAGE = ordered.PAGE, page  # type: ignore[misc]
    try:
        for step, argument in steps:
            if step == "put":
                for number in argument:
                    serial += 1
                    key = key_of(number, serial)
                    buffer.put(key, b"%d" % serial)
                    expected[key] = b"%d" % serial
            elif step == "take":
                end, limit = argument[0].to_bytes(2), argument[1]
                due = sorted(key for key in expected if key < end)[:limit]
                assert buffer.take(end, limit) == [(key, expected.pop(key)) for key in due]
            elif step == "commit":
                store.apply(list(buffer.changes()), 0)
                buffer.committed()
                durable = dict(expected)
            elif step == "abort":
                buffer.forget()
                expected = dict(durable)
            else:
                buffer, expected = OrderedBuffer(layout.HELD, store), dict(durable)
            assert buffer.first() == min(expected, default=None)
            assert buffer.count() == len(expected)
    finally:
        ordered.PAGE = before  # type: ignore[misc]


def test_a_row_that_is_put_and_taken_in_one_unit_of_work_writes_nothing() -> None:
    buffer = OrderedBuffer(layout.HELD, cast("PartitionStore", MemoryStore()))
    buffer.put(b"a", b"1")
    buffer.put(b"b", b"2")
    assert buffer.take(b"b", 9) == [(b"a", b"1")]
    assert [change.key for change in buffer.changes()] == [b"b"]
