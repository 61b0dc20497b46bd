"""Text from outside on a terminal: nothing of it steers the terminal, and no more of it is escaped than must be."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.printable import printable, printable_json, printable_lines, printable_values

STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë Åström", "Zoë Åström"),
        ("李小龍 👩\u200d🔬 נ\u200cש a\u00a0b", "李小龍 👩\u200d🔬 נ\u200cש a\u00a0b"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb\tc\x07", r"a\r\nb\tc\x07"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("\u202egnp.exe\u2066\u200f", r"\u202egnp.exe\u2066\u200f"),
        ("a\u2028b\ufeff\ud800", r"a\u2028b\ufeff\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_control_characters_are_escaped_and_names_are_not(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_no_text_reaches_a_terminal_unescaped(text: str) -> None:
    assert not {unicodedata.category(char) for char in printable(text) if char not in "\u200c\u200d"} & STEERING
    assert printable_lines(text).count("\n") == text.count("\n")


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_escaped_json_decodes_to_the_same_document(document: object) -> None:
    shown = printable_json(json.dumps(document, ensure_ascii=False))
    assert json.loads(shown) == document
    assert not {unicodedata.category(char) for char in shown if char not in "\u200c\u200d"} & STEERING


def test_keys_and_items_of_documents_are_escaped() -> None:
    assert printable_values({"a\n": ["\x1b", ("\r", 1, None)]}) == {r"a\n": [r"\x1b", [r"\r", 1, None]]}
