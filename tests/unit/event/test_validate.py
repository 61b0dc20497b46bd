import pytest

from pipeline.event.reason import Reason
from pipeline.event.result import Rejected
from pipeline.event.rules import IntakeRules
from pipeline.event.validate import validate
from pipeline.testing.build import event

NOW_MS = 1_772_366_400_000
RULES = IntakeRules(
    max_event_bytes=1000, max_identifiers=3, max_fields=4, max_depth=2, future_tolerance_ms=50, retention_ms=90
)


def refusal(size_bytes=0, **fields):
    known = {"tenant": "acme-1", "source": "web shop", "type": "page", "name": "", "timestamp_ms": NOW_MS}
    return validate(event(**known | fields), RULES, NOW_MS, size_bytes)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"size_bytes": 1000},
        {"message_id": "m" * 256, "name": "n" * 256, "tenant": "t" * 64, "source": "s" * 128},
        {"timestamp_ms": NOW_MS + 50},
        {"timestamp_ms": NOW_MS - 90},
        {"identifiers": ["a:1", "a:2", "a:3"]},
        {"properties": {"a": 2**63 - 1, "b": -(2**63), "c": [[1, None, True, 1.5, "x"]], "d": {"e": {}}}},
    ],
)
def test_an_event_at_the_limits_is_taken(fields):
    assert refusal(**fields) is None


@pytest.mark.parametrize(
    ("fields", "reason", "detail"),
    [
        ({"size_bytes": 1001}, Reason.TOO_LARGE, "the event has 1001 bytes, the limit is 1000"),
        ({"tenant": ""}, Reason.INVALID_FIELD, "tenant: "),
        ({"tenant": "Acme"}, Reason.INVALID_FIELD, "tenant: "),
        ({"tenant": "-a"}, Reason.INVALID_FIELD, "tenant: "),
        ({"tenant": "a/b"}, Reason.INVALID_FIELD, "tenant: "),
        ({"tenant": "a\n"}, Reason.INVALID_FIELD, "tenant: "),
        ({"tenant": "t" * 65}, Reason.INVALID_FIELD, "tenant: "),
        ({"source": ""}, Reason.INVALID_FIELD, "source: "),
        ({"source": "a/b"}, Reason.INVALID_FIELD, "source: "),
        ({"source": "a\0b"}, Reason.INVALID_FIELD, "source: "),
        ({"source": "s" * 129}, Reason.INVALID_FIELD, "source: "),
        ({"message_id": ""}, Reason.INVALID_FIELD, "message_id: "),
        ({"message_id": "m" * 257}, Reason.INVALID_FIELD, "message_id: "),
        ({"message_id": "\ud800"}, Reason.INVALID_FIELD, "message_id: "),
        ({"type": "buy"}, Reason.INVALID_FIELD, "type: must be one of track, identify"),
        ({"channel": "fax"}, Reason.INVALID_FIELD, "channel: must be one of web"),
        ({"name": "n" * 257}, Reason.INVALID_FIELD, "event: "),
        ({"timestamp_ms": NOW_MS + 51}, Reason.FROM_THE_FUTURE, "timestamp: 51 ms ahead of the clock"),
        ({"timestamp_ms": NOW_MS - 91}, Reason.TOO_OLD, "timestamp: 91 ms old, the limit is 90"),
        ({"identifiers": []}, Reason.NO_IDENTIFIER, "identifiers: at least one is needed"),
        ({"identifiers": ["a:1"] * 4}, Reason.INVALID_FIELD, "identifiers: 4, the limit is 3"),
        ({"properties": dict.fromkeys("abcde")}, Reason.INVALID_FIELD, "properties: at most 4 fields, 2 levels"),
        ({"context": {"a": {"b": {"c": {}}}}}, Reason.INVALID_FIELD, "context: "),
        ({"traits": {"a": [[[1]]]}}, Reason.INVALID_FIELD, "traits: "),
    ],
)
def test_an_event_beyond_a_limit_is_refused_with_the_reason(fields, reason, detail):
    refused = refusal(**fields)
    assert isinstance(refused, Rejected)
    assert refused.reason is reason
    assert refused.detail.startswith(detail)


def test_integers_of_more_than_64_bits_become_text_at_any_depth():
    wide = event(
        tenant="acme", source="shop", type="page", name="", timestamp_ms=NOW_MS,
        properties={"a": 2**63, "b": [-(2**63) - 1, {"c": 2**70}], "d": 2**63 - 1}, traits={"e": 2**64},
    )  # fmt: skip
    assert validate(wide, RULES, NOW_MS) is None
    assert wide.properties == {"a": str(2**63), "b": [str(-(2**63) - 1), {"c": str(2**70)}], "d": 2**63 - 1}
    assert wide.traits == {"e": str(2**64)}


def test_wide_integers_excuse_no_bag_that_is_too_deep():
    deep = event(tenant="acme", source="shop", timestamp_ms=NOW_MS, context={"a": 2**63, "b": [[[1]]]})
    assert validate(deep, RULES, NOW_MS) == Rejected(Reason.INVALID_FIELD, "context: at most 4 fields, 2 levels")
