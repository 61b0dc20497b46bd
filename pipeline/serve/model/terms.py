"""What search finds a profile by: e-mail addresses, telephone numbers, and the words of names.

A term is compared by prefix, byte by byte. Case and accents do not count. A telephone number is stored forwards and
backwards, because people type it without the country's code.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.event.identifier import type_of, value_of

EMAIL: Final = "email"
PHONE: Final = "phone"
PHONE_END: Final = "phone_end"
"""The digits of a telephone number from the last to the first."""
NAME: Final = "name"
NAME_TRAITS: Final = (
    "name", "firstName", "first_name", "lastName", "last_name", "company", "companyName", "company_name",
)  # fmt: skip
MAX_TERM_CHARACTERS: Final = 100
MAX_WORDS: Final = 20
"""Words of a profile's names that are indexed."""


def terms_of(identifiers: Sequence[str], traits: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns a profile's terms as (kind, term), sorted, each once."""
    terms: set[tuple[str, str]] = set()
    for ident in identifiers:
        kind, value = type_of(ident), value_of(ident)
        if kind == EMAIL:
            terms.add((EMAIL, folded(value)))
        elif kind == PHONE:
            terms |= {(PHONE, digits_of(value)), (PHONE_END, digits_of(value)[::-1])}
    for kind, stated in ((EMAIL, traits.get(EMAIL)), (PHONE, traits.get(PHONE))):
        if isinstance(stated, str) and stated:
            terms |= {(EMAIL, folded(stated))} if kind == EMAIL else _phone_terms(stated)
    words = [word for name in NAME_TRAITS if isinstance(traits.get(name), str) for word in words_of(traits[name])]
    terms |= {(NAME, word) for word in words[:MAX_WORDS]}
    return sorted((kind, term[:MAX_TERM_CHARACTERS]) for kind, term in terms if term)


def folded(text: str) -> str:
    """Returns text without case and accents.

    >>> folded("  Zoë MÜLLER ")
    'zoe muller'
    """
    decomposed = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def words_of(text: str) -> list[str]:
    """Returns the folded words of a name."""
    return folded(text).replace("\x00", "").split()


def digits_of(text: str) -> str:
    """Returns the digits of a telephone number.

    >>> digits_of("+49 (171) 234-567")
    '49171234567'
    """
    return "".join(character for character in text if character in "0123456789")


def after_prefix(prefix: str) -> str:
    """Returns a text after all texts that begin with ``prefix``, in the order of their UTF-8 bytes."""
    return prefix + "\U0010ffff"


def _phone_terms(stated: str) -> set[tuple[str, str]]:
    digits = digits_of(stated)
    return {(PHONE, digits), (PHONE_END, digits[::-1].rstrip("0"))}
