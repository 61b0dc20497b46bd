"""How long each input has been silent: at its end, with every record processed."""

from pipeline.kafka.topic_partition import TopicPartition
from pipeline.stream.poller import Poller
from pipeline.stream.task import Task


class InputSilence:
    """Reports silent inputs to the stages of one worker, which then need not wait for them."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._next: dict[TopicPartition, int] = {}
        """The offset behind the last processed record."""
        self._since: dict[TopicPartition, float] = {}
        """When a silent input was first found at its end."""

    def processed(self, at: TopicPartition, next_offset: int) -> None:
        """Notes that records of an input have been processed."""
        self._next[at] = next_offset
        self._since.pop(at, None)

    def forget(self) -> None:
        """Forgets every input: partitions were taken away, or are read again."""
        self._next, self._since = {}, {}

    def report(self, poller: Poller, task: Task, now: float) -> None:
        """Passes to a task how long each of its inputs has been silent. An input that is not read is silent too."""
        for topic in task.spec.inputs:
            at = TopicPartition(topic.of(self._prefix), task.partition)
            if at not in poller.held or poller.is_at_end(at, self._next.get(at, 0)):
                task.logic.on_silence(at.topic, now - self._since.setdefault(at, now))
            else:
                self._since.pop(at, None)
