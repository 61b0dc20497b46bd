"""The normalisers that need a library: e-mail addresses and phone numbers. They never ask the network.

Neither remembers its answers: :class:`~pipeline.event.recognise.Recogniser` does, for all types alike.
"""

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from pipeline.event.recognise import CORE_NORMALISERS, Normaliser, Normalisers
from pipeline.rules.patterns import any_match


def email(value: str) -> str | None:
    """The address in lower case, its domain in Unicode; None if no mail server could accept it.

    The part before the @ is lowered too: servers may tell cases apart, people and large mailbox providers do not.
    """
    try:
        valid = validate_email(value.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return valid.normalized.lower()


def phone(default_country: str) -> Normaliser:
    """Numbers to E.164; those without ``+`` are of the country (ISO 3166), or none if it is empty.

    A number is taken if its length is possible, not only if its range is assigned: ranges are assigned every week,
    and a number refused here would be a customer not recognised. An extension makes it an office's, not a person's.
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
    """Every normaliser that identifier types can name, and the engine of their patterns."""
    return Normalisers({**CORE_NORMALISERS, "email": email, "phone": phone(default_country)}, any_match)
