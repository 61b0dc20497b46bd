"""Normalisers that need a library: e-mail addresses and phone numbers. They make no network requests.

They do not cache addresses and numbers: :class:`~pipeline.event.recognise.Recogniser` caches for all types. Domains
are cached here, because many addresses have the same.
"""

import re
from functools import lru_cache
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from pipeline.event.recognise import CORE_NORMALISERS, Normaliser, Normalisers
from pipeline.rules.patterns import any_match

_PLAIN: Final = re.compile(r"([A-Za-z0-9]{1,32}(?:[._+-][A-Za-z0-9]{1,32}){0,4})@([A-Za-z0-9.-]{1,63})")
"""Addresses whose part before the @ is valid, and which are shorter than every limit of an address as a whole."""
_PART_CHARACTERS: Final = 64
_DOMAINS_REMEMBERED: Final = 1 << 14


def email(value: str) -> str | None:
    """Returns the address in lower case with its domain in Unicode; None if it is not a valid address.

    The part before the @ is lowered too: the standard permits servers to distinguish case, but people and large mailbox
    providers do not.
    """
    value = value.strip()
    plain = _PLAIN.fullmatch(value)
    if plain is None or len(plain[1]) > _PART_CHARACTERS or "--" in plain[2]:  # xn--… is longer in Unicode
        return _validated(value)
    domain = _domain(plain[2])
    return None if domain is None else f"{plain[1].lower()}@{domain}"


def _validated(address: str) -> str | None:
    try:
        return validate_email(address, check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError:
        return None


@lru_cache(_DOMAINS_REMEMBERED)
def _domain(domain: str) -> str | None:
    """Returns a domain in lower case and in Unicode; None if it is not valid."""
    address = _validated(f"a@{domain}")
    return None if address is None else address.partition("@")[2]


def phone(default_country: str) -> Normaliser:
    """Returns a normaliser to E.164. Numbers without ``+`` belong to ``default_country`` (ISO 3166; "" rejects them).

    A number needs a possible length, not an assigned range: new ranges are assigned every week, and a rejected number
    would be a customer that is not recognised. A number with an extension is rejected, because it belongs to an office
    and not to a person.
    """

    def normalise(value: str) -> str | None:
        try:
            number = phonenumbers.parse(value, default_country or None)
        except NumberParseException:
            return None
        if number.extension or phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
            return None
        return phonenumbers.format_number(number, PhoneNumberFormat.E164)

    return normalise


def normalisers(default_country: str) -> Normalisers:
    """Returns every normaliser that identifier types can name, and the engine of their patterns."""
    return Normalisers({**CORE_NORMALISERS, "email": email, "phone": phone(default_country)}, any_match)
