"""``leads tail`` over a record that is no action."""

import pytest

from pipeline.avro.wire import Decoder, Encoder
from pipeline.cli.leads import _decoded
from pipeline.testing.log import MemoryRecord
from pipeline.topics import ACTIONS
from schemas import own_id
from tests.unit.cli.test_hostile_values import ACTION


def test_a_record_that_is_no_action_is_reported_and_the_next_action_shown(capsys: pytest.CaptureFixture[str]) -> None:
    decode = Decoder(ACTIONS.value)
    good = Encoder(ACTIONS.value, own_id(ACTIONS.value))(ACTION)
    records = [MemoryRecord(ACTIONS.of("cdp"), n, b"k", value, None) for n, value in ((7, b"\x00no"), (8, good))]
    assert [action["action_id"] for action in _decoded(decode, records)] == [ACTION["action_id"]]
    assert capsys.readouterr().err.startswith("stitchline: cdp.crm.actions.v1 0:7 is no action: ")
