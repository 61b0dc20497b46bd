"""What every CRM sink promises, as tests: subclass :class:`SinkContract`, say how to open it and what it holds."""

from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from connectors.crm.sink import Action, CrmSink, Delivered


def action(number: int, *, partition: int = 0, offset: int | None = None) -> Action:
    body = {"action_id": f"a{number}", "tenant": "default", "profile_id": f"p{number % 3}", "kind": "lead"}
    return Action(partition, number if offset is None else offset, body)


class SinkContract(ABC):
    @abstractmethod
    def open(self, folder: Path) -> CrmSink:
        """A sink over what the folder, or the server behind the sink, holds already."""

    @abstractmethod
    def taken(self, folder: Path) -> list[str]:
        """The action ids the sink has taken, in the order they took effect."""

    @pytest.fixture
    def sink(self, tmp_path):
        sink = self.open(tmp_path)
        yield sink
        sink.close()

    def test_actions_are_taken_in_order(self, sink, tmp_path):
        sink.deliver([action(0), action(1)])
        sink.deliver([action(2)])

        assert self.taken(tmp_path) == ["a0", "a1", "a2"]

    def test_every_action_has_an_outcome_in_its_place(self, sink):
        outcomes = sink.deliver([action(0), action(1)])

        assert [type(outcome) for outcome in outcomes] == [Delivered, Delivered]

    def test_an_action_delivered_again_is_delivered(self, sink):
        sink.deliver([action(0)])

        assert [type(outcome) for outcome in sink.deliver([action(0), action(1)])] == [Delivered, Delivered]

    def test_nothing_to_deliver_does_nothing(self, sink, tmp_path):
        assert list(sink.deliver([])) == []

        assert self.taken(tmp_path) == []

    def test_what_is_delivered_again_has_no_effect(self, sink, tmp_path):
        sink.deliver([action(0), action(1)])
        sink.deliver([action(0), action(1), action(2)])
        sink.deliver([action(2)])

        assert self.taken(tmp_path) == ["a0", "a1", "a2"]

    def test_what_is_delivered_again_after_reopening_has_no_effect(self, tmp_path):
        for count in (1, 2, 4):
            sink = self.open(tmp_path)
            sink.deliver([action(number) for number in range(count)])
            sink.close()

        assert self.taken(tmp_path) == ["a0", "a1", "a2", "a3"]

    def test_partitions_do_not_hide_each_others_actions(self, sink, tmp_path):
        sink.deliver([action(0, partition=1, offset=70)])
        sink.deliver([action(1, partition=0, offset=3), action(2, partition=1, offset=71)])

        assert self.taken(tmp_path) == ["a0", "a1", "a2"]

    def test_delivered_actions_are_there_without_closing(self, tmp_path):
        first = self.open(tmp_path)
        first.deliver([action(0)])

        assert self.taken(tmp_path) == ["a0"]
        first.close()

    def test_a_position_of_its_own_is_after_everything_it_took(self, sink, tmp_path):
        sink.deliver([action(0, partition=1, offset=5), action(1, partition=1, offset=9)])

        assert sink.positions() in (None, {1: 10})
