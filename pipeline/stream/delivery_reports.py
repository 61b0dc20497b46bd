"""Finds records that librdkafka reports as delivered though no broker has confirmed them.

While a broker becomes the leader of a partition, it may refuse a producer's first batch there and take the second,
because it knows no sequence number yet. librdkafka concludes from the second answer that the first batch was written
too, and reports its records as delivered, but without an offset (confluent-kafka-go issue 921). A transaction that
commits then has a gap.
"""

from typing import Any


class DeliveryReports:
    """The reports of one transaction at a time."""

    def __init__(self) -> None:
        self.unconfirmed = 0
        """Records of the open transaction that were reported without an offset."""

    def note(self, error: Any, message: Any) -> None:
        """Takes one report. Errors need no note: librdkafka refuses the commit."""
        if error is None and message.offset() is None:
            self.unconfirmed += 1

    def clear(self) -> None:
        """Begins the next transaction."""
        self.unconfirmed = 0
