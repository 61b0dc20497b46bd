"""Reads records of internal topics: decodes and checks them, and quarantines bad ones.

Only Stitchline writes these topics, so a bad record comes from a foreign producer, another version or a damaged log. It
must not stop the partition: it is quarantined byte-identical, and the loss breaker counts it.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Generic, TypeVar

import msgspec

from pipeline.event.reason import Reason
from pipeline.kafka.record import Record
from pipeline.obs import metrics as m
from pipeline.state.watermarks import WatermarkView
from pipeline.stream import erasing, watermark
from pipeline.stream.dlq import quarantine
from pipeline.stream.stages.base import Context
from pipeline.topics import StageName

Message = TypeVar("Message")


class InternalReader(Generic[Message]):
    """Reads one internal topic of one stage. ``fault`` returns the fault of a key and its message, or ""."""

    def __init__(
        self,
        context: Context,
        stage: StageName,
        decode: Callable[[bytes], Message],
        fault: Callable[[str, Message], str],
    ) -> None:
        self._context, self._stage, self._decode, self._fault = context, stage, decode, fault

    def read(self, batch: Sequence[Record]) -> list[tuple[str, Message]]:
        """Returns key and message of each good record, in order."""
        messages = []
        marks = 0
        for record in batch:
            key_bytes = record.key() or b""
            if key_bytes.startswith((watermark.KEY_PREFIX, erasing.KEY_PREFIX)):  # or left behind by a replay
                marks += 1
                continue
            try:
                key, message = key_bytes.decode(), self._decode(record.value() or b"")
                fault = self._fault(key, message)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                fault = str(error) if isinstance(error, msgspec.DecodeError) else "the key is not UTF-8"
            if fault:
                self._quarantine(record, fault)
            else:
                messages.append((key, message))
        if batch:
            bad = len(batch) - marks - len(messages)
            self._context.breaker.count(self._stage, batch[0].topic(), len(batch), bad)
        return messages

    def note_watermark(self, record: Record, sources: Collection[str], marks: WatermarkView) -> bool:
        """Notes the watermark in a record if it is that of one of the sources. Quarantines a damaged one.

        Returns whether the record is a watermark at all.
        """
        if not (record.key() or b"").startswith(watermark.KEY_PREFIX):
            return False
        try:
            mark = watermark.decode(record.value() or b"")
        except msgspec.DecodeError as error:
            self._quarantine(record, str(error))
            return True
        if mark.source in sources:
            marks.note(mark.source, mark.time_ms, idle=mark.idle)
        return True

    def _quarantine(self, record: Record, fault: str) -> None:
        quarantine(self._context.emit, record, self._stage, Reason.UNDECODABLE, fault)
        self._context.breaker.offended(record, Reason.UNDECODABLE)
        self._context.metrics.add(m.DLQ_RECORDS, 1, self._stage, Reason.UNDECODABLE)
        self._context.metrics.add(m.RESULTS, 1, self._stage, "dead_letter", Reason.UNDECODABLE)
