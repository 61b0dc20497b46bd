"""Public records: a struct encodes to the same bytes as a dict with the same fields."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from pipeline.avro.wire import Decoder, Encoder
from pipeline.avro.writer import write_for
from pipeline.identity.messages import IdentityChange
from pipeline.profile.records import (
    ActionContribution,
    CrmAction,
    FirstOrLastTouch,
    ProfileUpdate,
    SegmentChange,
    TimelineEntry,
    Windows,
)

LONGS = st.integers(-(1 << 63), (1 << 63) - 1)
TEXTS = st.one_of(
    st.text(st.characters(max_codepoint=127), max_size=70), st.text(max_size=70),
    st.integers(60, 66).map("x".__mul__),
)  # fmt: skip
LISTS = st.one_of(st.lists(TEXTS, max_size=3), st.integers(60, 66).map(["a:1"].__mul__))
FIELDS = {
    int: LONGS, str: TEXTS, float: st.floats(allow_nan=False), list[str]: LISTS,
    dict[str, str]: st.dictionaries(TEXTS, TEXTS, max_size=3),
    dict[str, float]: st.dictionaries(TEXTS, st.floats(allow_nan=False), max_size=3),
}  # fmt: skip
"""A field's values by its annotation; others are texts."""


def built(struct, **nested):
    fields = {field.name: FIELDS.get(field.type, TEXTS) for field in msgspec.structs.fields(struct)}
    return st.builds(struct, **(fields | nested))


TOUCHES = built(FirstOrLastTouch)
RECORDS = {
    "identity-change": built(IdentityChange),
    "segment-change": built(SegmentChange),
    "profile-update": built(
        ProfileUpdate,
        aggregates=st.dictionaries(TEXTS, built(Windows), max_size=3),
        first_touch=TOUCHES,
        last_touch=TOUCHES,
    ),
    "crm-action": built(
        CrmAction,
        contributions=st.lists(built(ActionContribution), max_size=3),
        timeline=st.lists(built(TimelineEntry), max_size=3),
    ),
}
STRUCTS = {
    "identity-change": IdentityChange, "segment-change": SegmentChange, "profile-update": ProfileUpdate,
    "crm-action": CrmAction,
}  # fmt: skip
OF_DICTS = {name: Encoder(name, schemas.own_id(name)) for name in STRUCTS}
OF_STRUCTS = {name: Encoder(name, schemas.own_id(name), struct) for name, struct in STRUCTS.items()}
DECODERS = {name: Decoder(name) for name in STRUCTS}


@given(st.sampled_from(sorted(RECORDS)).flatmap(lambda name: st.tuples(st.just(name), RECORDS[name])))
def test_every_struct_is_byte_for_byte_the_dict_of_its_fields_and_comes_back(case):
    name, record = case
    data, fields = OF_STRUCTS[name](record), msgspec.to_builtins(record)
    assert data == OF_DICTS[name](fields)
    assert DECODERS[name](data) == fields


@pytest.mark.parametrize("name", ["segment-change", "profile-update", "crm-action"])
def test_the_defaults_of_a_struct_are_those_of_its_schema(name):
    assert OF_STRUCTS[name](STRUCTS[name]()) == OF_DICTS[name]({})


@pytest.mark.parametrize(
    "wrong", [{"timestamp_ms": 2**63}, {"timestamp_ms": 1.5}, {"segment": 7}, {"change": "\ud800"}]
)
def test_a_struct_that_does_not_fit_is_refused_by_the_name_of_its_field(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} does not fit: "):
        OF_STRUCTS["segment-change"](SegmentChange(**wrong))


def test_a_nested_struct_that_does_not_fit_is_named_by_the_field_that_holds_it():
    with pytest.raises(ValueError, match=r"^aggregates does not fit: "):
        OF_STRUCTS["profile-update"](ProfileUpdate(aggregates={"orders": Windows(last_1h="many")}))


def test_a_struct_with_other_fields_or_another_order_is_refused_when_the_encoder_is_made():
    class Swapped(msgspec.Struct):
        tenant: str
        event_id: str

    class Inner(msgspec.Struct):
        name: str

    class Outer(msgspec.Struct):
        inner: dict[str, list[Inner]]

    with pytest.raises(
        ValueError, match=r"does not have the fields of .*SegmentChange in their order: event_id, tenant"
    ):
        write_for(schemas.load("segment-change"), Swapped)
    inner = {"type": "record", "name": "Entry", "fields": [{"name": "title", "type": "string"}]}
    nested = {"type": "map", "values": {"type": "array", "items": inner}}
    outer = {"type": "record", "name": "Outer", "fields": [{"name": "inner", "type": nested}]}
    with pytest.raises(ValueError, match=r"Inner.* does not have the fields of Entry in their order: title"):
        write_for(outer, Outer)
