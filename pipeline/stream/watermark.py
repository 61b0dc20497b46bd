"""Watermarks between stages: each partition of a stage reports to the next stage how far it is in event time."""

from typing import Final

import msgspec

from pipeline.state.watermarks import BEGINNING
from pipeline.stream.stages.base import Context
from pipeline.topics import StageName, Topic

KEY_PREFIX: Final = b"\0watermark/"
"""Begins the key of a watermark. No tenant, identifier or profile id begins with a zero byte."""


class Watermark(msgspec.Struct, array_like=True, gc=False, tag="watermark", tag_field="record"):
    """The source has sent every record up to an event time; a later one of before is late."""

    source: str
    """Stage and partition, as :func:`source_of` returns it."""
    time_ms: int
    idle: bool = False
    """See :class:`~pipeline.state.watermarks.SourceMark`."""


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Watermark).decode


def source_of(stage: StageName, partition: int) -> str:
    """Returns the name of a stage's partition as a source of watermarks."""
    return f"{stage}/{partition}"


class WatermarkSender:
    """Sends the watermark of one partition of a stage to every partition of a topic, in the open transaction."""

    def __init__(self, context: Context, source: str, topic: Topic, step_ms: int = 1) -> None:
        """``step_ms`` is the least advance that is worth a record; becoming idle or active is always worth one."""
        self._broadcast, self._source, self._topic, self._step_ms = context.broadcast, source, topic, step_ms
        self._sent = Watermark(source, BEGINNING)

    def send(self, time_ms: int, *, idle: bool = False) -> None:
        """Sends the watermark if it differs enough from the last one."""
        if idle == self._sent.idle and time_ms < self._sent.time_ms + (1 if idle else self._step_ms):
            return
        self._sent = Watermark(self._source, time_ms, idle)
        self._broadcast(self._topic, KEY_PREFIX + self._source.encode(), _encode(self._sent))
