"""Refused customers at the door: follows the marks topic, so that their events are not even stored.

INTAKE applies the same marks. So a mark that has not arrived here yet, or a Kafka that is away, delays nothing and lets
nothing through: an event that is taken meanwhile ends in INTAKE.
"""

import threading
from typing import Final

import msgspec
from confluent_kafka import KafkaException

from pipeline.event.erasure import Marking, MarkTable
from pipeline.kafka.follow import Follower
from pipeline.kafka.reading import MissingTopicError
from pipeline.obs.log import logger
from pipeline.settings import Settings
from pipeline.topics import MARKS

POLL_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 5.0
log = logger(__name__)
_decode = msgspec.msgpack.Decoder(Marking).decode


class SuppressedFollower:
    """Keeps a list up with the topic, in a thread of its own, until it is stopped."""

    def __init__(self, settings: Settings, marks: MarkTable) -> None:
        self._settings, self._marks = settings, marks
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="suppressed", daemon=True)

    def start(self) -> None:
        """Starts to read the topic from its beginning."""
        self._thread.start()

    def stop(self) -> None:
        """Stops reading."""
        self._stop.set()
        self._thread.join(2 * POLL_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (KafkaException, MissingTopicError) as error:
                log.info("marks_unread", error=str(error))
                self._stop.wait(RETRY_SECONDS)

    def _follow(self) -> None:
        topic = MARKS.of(self._settings.topic_prefix)
        with Follower(self._settings.kafka(), [topic], from_start=True) as follower:
            while not self._stop.is_set():
                for message in follower.poll(POLL_SECONDS):
                    try:
                        self._marks.note(_decode(message.value() or b""))
                    except msgspec.DecodeError:  # another program's record
                        log.warning("mark_undecodable", partition=message.partition(), offset=message.offset())
