"""Abandons calls to librdkafka that ignore their own time limit.

``send_offsets_to_transaction`` waits without limit for a coordinator that is away or decommissioned (librdkafka issues
5456 and 5511). Nothing can interrupt a thread in such a call, so each call gets a thread that its caller may abandon.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException

GRACE_SECONDS: Final = 2.0
"""Time after a call's own limit until it is abandoned."""


class CallNotReturnedError(KafkaException):
    """A call was abandoned. It still blocks its thread, and its client must not be used again.

    A new producer with the same transactional id fences the client, so that a late return of the call has no effect.
    """


def call_within(limit_seconds: float, call: Callable[[], Any]) -> None:
    """Runs ``call`` in a daemon thread and waits until it returns or is abandoned. Costs 0.1 ms.

    Raises:
        CallNotReturnedError: The call has not returned ``GRACE_SECONDS`` after ``limit_seconds``, its own limit.
        BaseException: What ``call`` raises.
    """
    errors: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
            errors.append(error)

    thread = threading.Thread(target=run, name="kafka-call", daemon=True)
    thread.start()
    thread.join(limit_seconds + GRACE_SECONDS)
    if thread.is_alive():
        reason = f"a call has not returned {GRACE_SECONDS:.0f} s after its limit of {limit_seconds:.0f} s"
        raise CallNotReturnedError(KafkaError(KafkaError._TIMED_OUT, reason))
    if errors:
        raise errors[0]
