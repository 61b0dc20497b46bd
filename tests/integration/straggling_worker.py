"""The counting worker, whose first fetch lasts until partitions are taken away, and then returns what it had fetched.

librdkafka does so now and then: it collects a batch, and calls back about a rebalance while it does.
"""

import sys
from collections.abc import Callable
from typing import Any

import confluent_kafka

from tests.integration.counting_worker import main


class Straggler(confluent_kafka.Consumer):
    """Straggles once, if it is a member of a group."""

    _waits = False

    def subscribe(self, topics: list[str], *, on_revoke: Callable[..., None], **callbacks: Any) -> None:
        """Join the group."""

        def revoked(*shown: Any) -> None:
            on_revoke(*shown)
            self._waits = False

        self._waits = True
        super().subscribe(topics, on_revoke=revoked, **callbacks)

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Any]:
        """The next records."""
        result = super().consume(num_messages, timeout)
        while result and self._waits:
            result += super().consume(num_messages, timeout)
        return result


if __name__ == "__main__":
    confluent_kafka.Consumer = Straggler  # type: ignore[misc]
    sys.exit(main())
