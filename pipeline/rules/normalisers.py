"""Normalisers that need a library: e-mail addresses and phone numbers. They make no network requests.

They do not cache: :class:`~pipeline.event.recognise.Recogniser` caches for all types.
"""

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from pipeline.event.recognise import CORE_NORMALISERS, Normaliser, Normalisers
from pipeline.rules.patterns import any_match


def email(value: str) -> str | None:
    """Returns the address in lower case with its domain in Unicode; None if it is not a valid address.

    The part before the @ is lowered too: the standard permits servers to distinguish case, but people and large mailbox
    providers do not.
    """
    try:
        valid = validate_email(value.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return valid.normalized.lower()


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
