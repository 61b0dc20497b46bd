"""How far an erasure or a refusal has come: the receipts of the partitions, compared with the partitions there are."""

import time
from typing import Final

import msgspec

from pipeline.errors import OperatorError
from pipeline.event.erasure import Marking
from pipeline.kafka.reading import partitions_of, silent
from pipeline.kafka.snapshot import read_compacted
from pipeline.settings import Settings
from pipeline.state.marks import Receipt
from pipeline.topics import MARKS, RECEIPTS, StageName, Topic

POLL_SECONDS: Final = 0.5


class UnknownRequestError(OperatorError):
    """STITCH has not decided a request with this id, or the id is wrong.

    Operator action: compare the id with what ``privacy erase`` printed, and check that a stitch worker runs.
    """


class StageProgress(msgspec.Struct, frozen=True):
    """What one stage has reported."""

    stage: str
    partitions: int
    """Partitions that must report."""
    done: int
    rows_read: int
    rows_changed: int
    finished_ms: int
    """When the last partition reported, in ms since 1970; 0 if none has."""


class RequestProgress(msgspec.Struct, frozen=True):
    """What became of a request."""

    request: str
    tenant: str
    kind: str
    seq: int
    requested_ms: int
    identifiers: int
    """Marked identifiers, among them the profile id."""
    digests: list[str]
    stages: list[StageProgress]

    @property
    def is_complete(self) -> bool:
        """Returns whether every partition has reported."""
        return all(stage.done >= stage.partitions for stage in self.stages)


_MARKING: Final = msgspec.msgpack.Decoder(Marking).decode
_RECEIPT: Final = msgspec.msgpack.Decoder(Receipt).decode


def progress_of(settings: Settings, tenant: str, request: str) -> RequestProgress:
    """Returns the progress of a request.

    Raises:
        UnknownRequestError: there is no such request.
        MissingTopicError: the topics do not exist: no worker has run yet.
        confluent_kafka.KafkaException: the broker did not answer or refused.
    """
    key = f"{tenant}/{request}"
    value = _read(settings, MARKS, key).get(key.encode())
    if value is None:
        message = f"no request {request} of tenant {tenant}: STITCH has not decided it, or the id is wrong"
        raise UnknownRequestError(message)
    receipts = [_RECEIPT(row) for row in _read(settings, RECEIPTS, key + "/").values()]
    return _progress(_MARKING(value), receipts, partitions_of(settings.kafka(), MARKS.of(settings.topic_prefix)))


def requests_of(settings: Settings, tenant: str) -> list[RequestProgress]:
    """Returns every request of a tenant that STITCH has decided, newest first, whichever way it was sent.

    Raises:
        MissingTopicError: the topics do not exist: no worker has run yet.
        confluent_kafka.KafkaException: the broker did not answer or refused.
    """
    markings = [_MARKING(value) for value in _read(settings, MARKS, f"{tenant}/").values()]
    receipts: dict[str, list[Receipt]] = {}
    for row in _read(settings, RECEIPTS, f"{tenant}/").values():
        receipt = _RECEIPT(row)
        receipts.setdefault(receipt.request, []).append(receipt)
    partitions = partitions_of(settings.kafka(), MARKS.of(settings.topic_prefix))
    newest_first = sorted(markings, key=lambda marking: -marking.seq)
    return [_progress(marking, receipts.get(marking.request, []), partitions) for marking in newest_first]


def wait_for_receipts(settings: Settings, tenant: str, request: str, within_seconds: float) -> RequestProgress:
    """Returns the progress once it is complete, or as it is after ``within_seconds``.

    Raises:
        UnknownRequestError: there is no such request.
        confluent_kafka.KafkaException: the broker did not answer or refused.
    """
    deadline = time.monotonic() + within_seconds
    while True:
        progress = progress_of(settings, tenant, request)
        if progress.is_complete or time.monotonic() >= deadline:
            return progress
        time.sleep(POLL_SECONDS)


def _progress(marking: Marking, receipts: list[Receipt], partitions: int) -> RequestProgress:
    return RequestProgress(
        marking.request, marking.tenant, marking.kind, marking.seq, marking.at_ms,
        len(marking.people) + len(marking.others),
        [digest.hex() for digest in (*marking.people, *marking.others)],
        [_stage(stage, count, receipts) for stage, count in _expected(marking, partitions).items()],
    )  # fmt: skip


def _expected(marking: Marking, partitions: int) -> dict[str, int]:
    """Returns each stage with the number of its partitions that must report."""
    if marking.kind != "erase":
        return {StageName.STITCH: 1, StageName.INTAKE: partitions}
    return {StageName.STITCH: 1, StageName.INTAKE: partitions, StageName.PROFILE: partitions, StageName.ROUTE: 1}


def _stage(stage: str, partitions: int, receipts: list[Receipt]) -> StageProgress:
    own = [receipt for receipt in receipts if receipt.stage == stage]
    return StageProgress(
        stage,
        partitions,
        len(own),
        sum(receipt.rows_read for receipt in own),
        sum(receipt.rows_changed for receipt in own),
        max((receipt.at_ms for receipt in own), default=0),
    )


def _read(settings: Settings, topic: Topic, beginning: str) -> dict[bytes, bytes]:
    kafka, name = settings.kafka(), topic.of(settings.topic_prefix)
    prefix = beginning.encode()
    return read_compacted(
        kafka, name, range(partitions_of(kafka, name)), wanted=lambda key: key.startswith(prefix), progress=silent
    ).rows
