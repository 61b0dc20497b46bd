"""JSON with single values that cannot be represented."""

from typing import Any

import msgspec
import pytest

from pipeline.event.json_text import read_json


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        ('{"a": "x"}', {"a": "x"}),
        (
            b'{"n": NaN, "rest": [Infinity, -Infinity, 1.5, 2, true, null]}',
            {"n": None, "rest": [None, None, 1.5, 2, True, None]},
        ),
        (b'{"big": 1e999, "other": NaN}', {"big": None, "other": None}),
        (b'{"half": "a\\ud83d", "pair": "\\ud83d\\ude00"}', {"half": "a\ufffd", "pair": "\U0001f600"}),
        (b'{"\\udc00key": {"deep": ["\\ud83dz"]}}', {"\ufffdkey": {"deep": ["\ufffdz"]}}),
    ],
)
def test_values_without_a_representation_are_replaced(raw: bytes | str, value: Any) -> None:
    assert read_json(raw) == value


@pytest.mark.parametrize("raw", [b"", b"{", b"{'a': 1}", b'{"a": 1,}', b"[1] 2", b'{"a": nan}'])
def test_a_text_that_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_json(raw)


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises((UnicodeDecodeError, msgspec.DecodeError)):
        read_json(b'{"a": "\xff"}')
