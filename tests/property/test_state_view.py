"""A table over a store behaves like a dict with commit and rollback, whatever its cache size."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.state.store import Change
from pipeline.state.view import TableView

KEYS = st.sampled_from("abcdefgh")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("get"), KEYS),
        st.tuples(st.just("put"), KEYS, st.integers(0, 9)),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("commit")),
        st.tuples(st.just("abort")),
    ),
    max_size=60,
)


class Stored:
    """The bytes behind the view, how often they were read, and what a commit may write."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.reads = 0

    def read(self, key: bytes) -> bytes | None:
        self.reads += 1
        return self.rows.get(key)

    def apply(self, changes: list[Change]) -> None:
        assert len({change.key for change in changes}) == len(changes), "a row is written once"
        for change in changes:
            assert change.family == "numbers"
            if change.value is None:
                self.rows.pop(change.key, None)
            else:
                self.rows[change.key] = change.value


def view_over(stored: Stored, cached_rows: int) -> TableView[int]:
    return TableView("numbers", stored.read, lambda row: b"%d" % row, int, cached_rows)


@given(STEPS, st.integers(0, 6))
def test_the_view_answers_as_a_dict_would_through_commits_and_aborts(steps, cached_rows):
    stored, durable, working = Stored(), {}, {}
    view = view_over(stored, cached_rows)
    for step, *arguments in steps:
        if step == "get":
            assert view.get(arguments[0]) == working.get(arguments[0])
        elif step == "put":
            view.put(*arguments)
            working[arguments[0]] = arguments[1]
        elif step == "delete":
            view.delete(arguments[0])
            working.pop(arguments[0], None)
        elif step == "commit":
            stored.apply(list(view.changes()))
            view.committed()
            durable = dict(working)
        else:
            view.forget()
            working = dict(durable)
        assert {key.decode(): int(value) for key, value in stored.rows.items()} == durable
    assert all(view.get(key) == working.get(key) for key in "abcdefgh")


@given(STEPS, st.integers(0, 6))
def test_misses_are_reads_and_rows_beyond_the_limit_leave_memory_at_a_commit(steps, cached_rows):
    stored = Stored()
    view = view_over(stored, cached_rows)
    missed = touched = limit = 0
    generation = max(1, cached_rows // 2)
    for step, *arguments in steps:
        if step in {"commit", "abort"}:
            view.committed() if step == "commit" else view.forget()
            limit = max(limit, touched)
            assert view.cached() <= 2 * (generation + limit)
            touched = 0
        else:
            getattr(view, step)(*arguments)
            touched += 1
        missed += view.take_misses()
    assert missed == stored.reads


def test_a_row_that_is_read_again_and_again_stays_in_memory():
    stored = Stored()
    view = view_over(stored, 8)
    for number in range(100):
        view.get("hot")
        view.get(f"cold{number}")
        view.committed()
    assert stored.reads == 101
