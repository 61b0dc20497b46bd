"""Lines of identity.changes written by hand are the bytes that the schema's own writer makes."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

import schemas
from pipeline.avro.change_columns import ChangeEncoder
from pipeline.avro.wire import Decoder, Encoder
from pipeline.identity.messages import IdentityChange

LONGS = st.integers(-(1 << 63), (1 << 63) - 1)
TEXTS = st.one_of(
    st.text(st.characters(max_codepoint=127), max_size=70), st.text(max_size=70),
    st.integers(60, 66).map("x".__mul__),
)  # fmt: skip
CHANGES = st.builds(
    IdentityChange,
    change=TEXTS, tenant=TEXTS, seq=LONGS, profile_id=TEXTS, other_profile_id=TEXTS, founder=TEXTS,
    identifiers=st.one_of(st.lists(TEXTS, max_size=3), st.integers(60, 66).map(["a:1"].__mul__)),
    rule=TEXTS, reason=TEXTS, trigger_event_id=TEXTS, source=TEXTS, actor=TEXTS, why=TEXTS, timestamp_ms=LONGS,
)  # fmt: skip

general = Encoder("identity-change", schemas.own_id("identity-change"))
by_hand = ChangeEncoder(general)
decode = Decoder("identity-change")


@given(CHANGES)
def test_every_line_is_byte_for_byte_that_of_the_schema(change):
    assert by_hand(change) == general(asdict(change))
    assert decode(by_hand(change)) == asdict(change)


def test_the_columns_stand_in_the_order_of_the_schema():
    fields = [field["name"] for field in schemas.load("identity-change")["fields"]]
    assert fields[:3] == ["tenant", "seq", "change"]
    assert fields[-1] == "timestamp_ms"
    assert len(fields) == 14
