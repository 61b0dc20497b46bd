"""A log of actions in memory: transactions that are whole or not there, and runners that shut each other out."""

from collections.abc import Collection, Sequence

from connectors.crm.action_log import Commit, Position, Refusal
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.sink import SinkError
from pipeline.testing.log import MemoryRecord


class Topics:
    """What survives every crash: the actions, the ledger, the quarantine and the positions."""

    def __init__(self, partitions: int = 3) -> None:
        self.actions: list[list[MemoryRecord]] = [[] for _ in range(partitions)]
        self.ledger: list[LedgerRow] = []
        self.quarantine: list[Refusal] = []
        self.positions: dict[int, Position] = {}
        self.updates: list[MemoryRecord] = []
        """The profile updates."""
        self.epoch = 0

    def send(self, value: bytes, *, partition: int = 0, headers: list[tuple[str, bytes]] | None = None) -> None:
        records = self.actions[partition]
        records.append(MemoryRecord("cdp.crm.actions.v1", len(records), b"k", value, headers, partition=partition))

    def publish(self, profile_id: str, value: bytes | None) -> None:
        at = len(self.updates)
        self.updates.append(MemoryRecord("cdp.profile.updates.v1", at, profile_id.encode(), value, None))

    def newest(self) -> dict[str, LedgerRow]:
        """Action id → its row after compaction."""
        rows = {row.action_id: row for row in self.ledger}
        return {action_id: row for action_id, row in rows.items() if row.state != "removed"}


class Clock:
    """Moves only when a test or a wait moves it."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def sleep(self, seconds: float) -> None:
        self.now_ms += max(1, round(seconds * 1000))


class Stop:
    """A stop signal whose waiting moves the clock; it is set after ``steps`` looks at it."""

    def __init__(self, clock: Clock, steps: int = 100_000) -> None:
        self._clock, self._steps = clock, steps

    def is_set(self) -> bool:
        self._steps -= 1
        return self._steps < 0

    def wait(self, timeout: float) -> bool:
        self._clock.sleep(timeout)
        return self.is_set()


class MemoryActionLog:
    """One runner's view of the topics."""

    def __init__(self, topics: Topics, clock: Clock) -> None:
        self._topics, self._clock = topics, clock
        topics.epoch += 1
        self._epoch = topics.epoch
        self._next: dict[int, int] = {}
        self.held: set[int] = set()
        self.commits = 0

    def positions(self) -> dict[int, Position]:
        none = Position(-1, "")
        return {
            partition: self._topics.positions.get(partition, none) for partition in range(len(self._topics.actions))
        }

    def ledger_rows(self) -> list[LedgerRow]:
        return list(self._topics.ledger)

    def start(self, offsets: dict[int, int], *, strict: bool) -> dict[int, int]:
        del strict
        self._next = {partition: max(0, offset) for partition, offset in offsets.items()}
        return dict(self._next)

    def poll(self, limit: int, seconds: float) -> Sequence[MemoryRecord]:
        taken: list[MemoryRecord] = []
        count = len(self._topics.actions)
        for turn in range(count):
            partition = (turn + self._epoch) % count  # each runner meets the partitions in another order
            start = self._next[partition]
            if partition not in self.held:
                part = self._topics.actions[partition][start : start + limit - len(taken)]
                self._next[partition] = start + len(part)
                taken += part
        if not taken:
            self._clock.sleep(seconds)
        return taken

    def hold(self, partitions: Collection[int]) -> None:
        self.held = set(partitions)

    def at_end(self) -> bool:
        return all(self._next[partition] == len(records) for partition, records in enumerate(self._topics.actions))

    def commit(self, commit: Commit) -> None:
        if self._epoch != self._topics.epoch:
            message = "another process delivers to this sink now"
            raise SinkError(message)
        self.commits += 1
        self._topics.ledger += commit.rows
        self._topics.quarantine += commit.refusals
        self._topics.positions |= commit.positions

    def close(self) -> None:
        pass


class MemoryUpdates:
    """The profile updates as one runner reads them, at most ``limit`` at a time."""

    def __init__(self, topics: Topics, limit: int = 7) -> None:
        self._topics, self.limit, self._next, self._start = topics, limit, 0, len(topics.updates)

    def poll(self) -> Sequence[MemoryRecord]:
        records = self._topics.updates[self._next : self._next + self.limit]
        self._next += len(records)
        return records

    def has_caught_up(self) -> bool:
        return self._next >= self._start

    def is_at_end(self) -> bool:
        return self._next == len(self._topics.updates)

    def close(self) -> None:
        pass
