"""The profile updates as a sync reads them: every partition, from the beginning, again at each start."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, cast

from pipeline.kafka.follow import Follower
from pipeline.kafka.record import Record


class Updates(Protocol):
    """The compacted topic of profile updates."""

    def poll(self) -> Sequence[Record]:
        """Returns the records that there are now, in each partition's order. Waits only at the start."""
        ...

    def has_caught_up(self) -> bool:
        """Returns whether everything that was there at the start has been returned."""
        ...

    def is_at_end(self) -> bool:
        """Returns whether everything that is there now has been returned."""
        ...

    def close(self) -> None:
        """Closes the client."""
        ...


Decode: TypeAlias = Callable[[bytes], dict[str, Any]]
"""Returns the fields of a ``profile-update`` record from its value. Raises ValueError if the value is not one."""
Report: TypeAlias = Callable[[str, str], None]
"""Called with the profile id of a record that cannot be read, and the problem."""


class Feed(NamedTuple):
    """The topic with its name and codec."""

    topic: str
    """Full name of the topic."""
    updates: Updates
    decode: Decode

    def read(self, report: Report) -> list[tuple[str, dict[str, Any] | None]]:
        """Returns profile id and fields of the records that there are now; None for a deleted profile.

        Leaves out records that cannot be read, and reports them.
        """
        profiles: list[tuple[str, dict[str, Any] | None]] = []
        for record in self.updates.poll():
            profile_id, value = (record.key() or b"").decode(errors="replace"), record.value()
            try:
                profiles.append((profile_id, None if value is None else self.decode(bytes(value))))
            except ValueError as error:
                report(profile_id, str(error))
        return profiles


class KafkaUpdates:
    """The topic on Kafka, read-committed, without a group.

    Raises (every method):
        MissingTopicError: The topic does not exist.
        KafkaException: The broker refused.
    """

    def __init__(self, kafka: Mapping[str, str | int], topic: str) -> None:
        self._follower = Follower(kafka, [topic], from_start=True)
        self._ends = self._follower.ends()
        self._caught_up = False

    def poll(self) -> Sequence[Record]:
        """Returns the records that there are now. While the topic is read for the first time, waits for some."""
        return cast("Sequence[Record]", self._follower.poll(0.0 if self._caught_up else 0.2))

    def has_caught_up(self) -> bool:
        """Returns whether everything that was there at the start has been returned."""
        self._caught_up = self._caught_up or self._follower.has_reached(self._ends)
        return self._caught_up

    def is_at_end(self) -> bool:
        """Returns whether everything that is there now has been returned."""
        return self._follower.has_reached(self._follower.ends())

    def close(self) -> None:
        """Closes the client."""
        self._follower.close()
