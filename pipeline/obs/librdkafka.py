"""Log entries for librdkafka's own lines: at most one per minute for lines of the same kind.

librdkafka logs every failed connection as an error, up to twenty lines per second while no broker answers. It
reconnects by itself, so the filter lowers these lines to warnings, and counts repetitions instead of printing them.
Lines arrive at the standard logger ``librdkafka`` in the form ``FACILITY [client] [thrd:…]: text``.
"""

import logging
import re
import time
from collections.abc import Callable
from typing import Final

LOGGER_NAME: Final = "librdkafka"
PAUSE_SECONDS: Final = 60.0
MAX_KINDS: Final = 256
PARTS: Final = 3
REPLACED_FACILITIES: Final = frozenset({
    "FAIL", "ERROR", "GETPID", "SESSTMOUT", "REQTMOUT", "COMMITFAIL", "FATAL",
    "TXNERR", "TXNABORT", "ADDPARTS", "ADDOFFSETS", "TXNOFFSETS", "ENDTXN", "INITPID",
})  # fmt: skip
"""Facilities of the lines about connections, coordinators and time-outs, and about errors that also raise."""

_THREAD: Final = re.compile(r"^\[thrd:[^\]]*\]:\s*")
_VARYING: Final = re.compile(r"\d+")


class OncePerMinute(logging.Filter):
    """Rewrites lines of librdkafka. Drops lines of a kind that was logged within the last ``PAUSE_SECONDS``.

    An entry has the event ``kafka_client`` and the fields ``facility``, ``client``, ``text`` and ``repeated``, the
    number of dropped lines of its kind since the last entry. Lines are of the same kind if client, facility and text
    differ only in numbers.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._logged: dict[tuple[str, str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether to log the line."""
        args = record.args
        if not isinstance(args, tuple) or len(args) != PARTS:
            return True
        facility, client, text = (str(part) for part in args)
        text = _THREAD.sub("", text)
        kind = client, facility, _VARYING.sub("#", text)
        now = self._clock()
        last, repeated = self._logged.get(kind, (-PAUSE_SECONDS, 0))
        if now - last < PAUSE_SECONDS:
            self._logged[kind] = last, repeated + 1
            return False
        if len(self._logged) >= MAX_KINDS:
            self._logged.clear()
        self._logged[kind] = now, 0
        record.msg, record.args = "kafka_client", ()
        record.levelno = min(record.levelno, logging.WARNING) if record.levelno < logging.CRITICAL else logging.ERROR
        record.levelname = logging.getLevelName(record.levelno)
        record.kafka_client = {"facility": facility, "client": client, "text": text, "repeated": repeated}
        return True


class ReplacedLines(logging.Filter):
    """Drops lines of librdkafka about lost connections, repeated requests, and errors that it raises too."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether to log the line."""
        args = record.args
        is_replaced = isinstance(args, tuple) and len(args) == PARTS and args[0] in REPLACED_FACILITIES
        return not is_replaced or logging.getLogger().isEnabledFor(logging.DEBUG)


def drop_replaced_lines() -> None:
    """Drops the lines that a worker replaces by its own, such as one when Kafka goes away and one when it is back."""
    logging.getLogger(LOGGER_NAME).filters.insert(0, ReplacedLines())


def install() -> None:
    """Installs the filter on the logger. Replaces an earlier one."""
    logger = logging.getLogger(LOGGER_NAME)
    for old in list(logger.filters):
        logger.removeFilter(old)
    logger.addFilter(OncePerMinute())
