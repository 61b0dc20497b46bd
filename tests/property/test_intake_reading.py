"""Events round-trip through writing and reading, and normalisation is idempotent."""

import copy
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.avro import from_avro, to_avro
from pipeline.event.instant import format_instant, parse_instant
from pipeline.event.model import CHANNELS, TYPES
from pipeline.event.normalise import EventNormaliser
from pipeline.event.parse import parse_event, to_json
from pipeline.event.rules import DEFAULT_TYPES, IntakeRules
from pipeline.rules.normalisers import normalisers
from pipeline.testing.build import event

NAMES = [kind.name for kind in DEFAULT_TYPES] + ["fax"]
words = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.one_of(
    words,
    st.sampled_from(["A.b@Example.COM", "x@STRASSE.de", " 030 1234567", "+49 30 1234567", "Guest", "0-0"]),
    st.sampled_from(["İ", "e\u0301", "ǅ"]),
)
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | floats | words
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
)
bags = st.dictionaries(words, json_values, max_size=4)
queries = st.lists(st.sampled_from(["utm_source=a", "UTM_campaign=B+c", "gclid=G", "size=4%202", "utm_x", "=", "é=ü"]))
urls = st.one_of(
    words,
    st.builds(
        "{}://{}{}?{}{}".format,
        st.sampled_from(["http", "HTTPS", "ftp"]),
        st.sampled_from(["Shop.example", "shop.example:80", "[::1]:443", "a b", "", "u:p@h.org", "[x"]),
        st.sampled_from(["", "/", "/A b", "//x", "/ü"]),
        queries.map("&".join),
        st.sampled_from(["", "#top", "#/cart", "#"]),
    ),
)
money = st.fixed_dictionaries(
    {},
    optional={
        "revenue": scalars,
        "value": scalars,
        "price_minor": scalars,
        "currency": st.sampled_from(["eur", "JPY", "x"]),
    },
)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_an_instant_reads_back_from_its_text_and_is_the_standard_librarys(ms):
    text = format_instant(ms)
    assert parse_instant(text) == ms
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    assert datetime.fromisoformat(text) == expected


@st.composite
def documents(draw):
    kind = draw(st.sampled_from(TYPES))
    context = draw(bags)
    if draw(st.booleans()):
        context["traits"] = draw(st.dictionaries(st.sampled_from(["email", "phone", "age"]), values, max_size=3))
    document = {
        "type": kind,
        "event": draw(words.filter(bool)),
        "messageId": draw(words.filter(bool)),
        "channel": draw(st.sampled_from(CHANNELS)),
        "timestamp": draw(st.integers(10**11, 10**13 - 1)),
        "userId": draw(st.none() | words),
        "anonymousId": draw(st.none() | st.integers()),
        "previousId": draw(st.none() | words),
        "identifiers": draw(st.dictionaries(st.sampled_from(NAMES), values | st.lists(values, max_size=3), max_size=4)),
        "properties": draw(bags),
        "context": context,
        "traits": draw(bags),
    }
    return {field: value for field, value in document.items() if value is not None}


@given(documents())
def test_an_event_reads_back_from_its_json(document):
    event = parse_event(document)
    written = to_json(event)
    assert parse_event(copy.deepcopy(written)) == event
    assert to_json(parse_event(copy.deepcopy(written))) == written


@given(documents())
def test_an_event_reads_back_from_its_avro_record(document):
    event = parse_event(document)
    assert from_avro(event.channel, to_avro(event)) == event


@st.composite
def raw_events(draw):
    properties = draw(money) | {"url": draw(urls)}
    return event(
        draw(st.lists(st.builds("{}:{}".format, st.sampled_from(NAMES), values), max_size=4)),
        tenant="t", source="s", message_id="m", name="", timestamp_ms=0, type=draw(st.sampled_from(TYPES)),
        properties=properties, context=draw(bags) | {"page": {"url": draw(urls)}},
    )  # fmt: skip


NORMALISE = EventNormaliser(IntakeRules(), DEFAULT_TYPES, normalisers("DE")).normalise


@given(raw_events())
def test_normalising_a_normalised_event_changes_nothing(event):
    refused = NORMALISE(event)
    once = copy.deepcopy(event)
    assert NORMALISE(event) == refused
    if refused is None:
        assert event == once
