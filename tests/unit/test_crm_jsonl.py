import os
from pathlib import Path

import msgspec
import pytest

from connectors.crm.jsonl import JsonlSink, line_of
from connectors.crm.sink import CrmSink, SinkError
from tests.crm.sink_contract import SinkContract, action

NAME = "leads.jsonl"


class TestJsonlSink(SinkContract):
    def open(self, folder: Path) -> CrmSink:
        return JsonlSink(folder / NAME)

    def taken(self, folder: Path) -> list[str]:
        lines = (folder / NAME).read_bytes().splitlines()
        return [msgspec.json.decode(line)["action"]["action_id"] for line in lines]


@pytest.mark.parametrize("torn_bytes", range(1, len(line_of(action(2))), 7))
def test_a_torn_last_line_is_cut_off_and_its_action_written_again(tmp_path, torn_bytes):
    path = tmp_path / NAME
    path.write_bytes(b"".join(line_of(action(n)) for n in range(3))[:-torn_bytes])

    sink = JsonlSink(path)
    assert sink.positions() == {0: 2}
    sink.deliver([action(2)])
    sink.close()

    assert path.read_bytes() == b"".join(line_of(action(n)) for n in range(3))


def test_a_file_that_is_not_a_sinks_is_refused_by_line_and_left_alone(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(line_of(action(0)) + b"something else\n" + b"torn")

    with pytest.raises(SinkError, match=r"leads\.jsonl:2: not a line of this sink"):
        JsonlSink(path)
    assert path.read_bytes().endswith(b"torn")


def test_two_sinks_never_write_the_same_file(tmp_path):
    first = JsonlSink(tmp_path / NAME)

    with pytest.raises(SinkError, match="another sink writes this file"):
        JsonlSink(tmp_path / NAME)
    first.close()
    JsonlSink(tmp_path / NAME).close()


def test_every_batch_is_synced_once_before_deliver_returns(tmp_path, monkeypatch):
    sink = JsonlSink(tmp_path / NAME)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))

    sink.deliver([action(0), action(1)])

    assert synced == [(tmp_path / NAME).stat().st_size]
    sink.close()
