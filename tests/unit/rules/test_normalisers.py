from itertools import product

import pytest
from email_validator import EmailNotValidError, validate_email

from pipeline.event.recognise import Recogniser
from pipeline.event.rules import DEFAULT_TYPES
from pipeline.rules.normalisers import email, normalisers, phone


@pytest.mark.parametrize(
    ("raw", "address"),
    [
        (" A.b@Example.COM ", "a.b@example.com"),
        ("x@xn--strae-oqa.de", "x@straße.de"),
        ("x@straße.de", "x@straße.de"),
        ("a+tag@shop.example", "a+tag@shop.example"),
        ("a@shop.test", "a@shop.test"),
    ],
)
def test_addresses_are_in_lower_case_with_a_readable_domain(raw, address):
    assert email(raw) == address


def test_an_address_is_what_the_library_makes_of_it():
    parts = ["a", "A.b", "a..b", ".a", "a.", "a-", "_a", "a+b_c-d", "a.b.c.d.e.f", "9", "x" * 64, "x" * 65, '"a b"',
             "postmaster", "ä", "a'b", "a@b", "a.b" * 20, "x" * 32 + "." + "x" * 32]  # fmt: skip
    domains = ["b.org", "B.Org", "b", "b..org", "-b.org", "b-.org", "b.org.", "xn--strae-oqa.de", "XN--STRAE-OQA.de",
               "xn--a.de", "straße.de", "localhost", "b.test", "b.invalid", "1.2", "1.2.3.4", "[1.2.3.4]", "b_c.org",
               "x" * 59 + ".org", "x" * 63, "x" * 63 + ".org", "x" * 64 + ".org", "a.b--c.org"]  # fmt: skip
    for part, domain in product(parts, domains):
        for raw in (f"{part}@{domain}", f" {part}@{domain}\n"):
            try:
                valid = validate_email(raw.strip(), check_deliverability=False, test_environment=True)
                expected = valid.normalized.lower()
            except EmailNotValidError:
                expected = None
            assert email(raw) == expected, raw


@pytest.mark.parametrize("raw", ["", "a", "a@", "@b.org", "a@b", "a@localhost", "A <a@b.org>", "a b@c.org", "a@b..org"])
def test_what_no_mail_server_accepts_is_no_address(raw):
    assert email(raw) is None


@pytest.mark.parametrize(
    ("raw", "country", "number"),
    [
        ("+49 30 1234567", "US", "+49301234567"),
        ("030/1234567", "DE", "+49301234567"),
        ("(202) 555-0123", "US", "+12025550123"),
        ("tel:+49-30-1234567", "", "+49301234567"),
        ("+1 202 555 0123", "", "+12025550123"),
    ],
)
def test_numbers_are_in_e164(raw, country, number):
    assert phone(country)(raw) == number


@pytest.mark.parametrize(
    ("raw", "country"),
    [("", "US"), ("call me", "US"), ("202 555 0123", ""), ("555-0123", "US"), ("12", "DE"),
     ("+49 30 1234567 ext. 5", "DE")],
)  # fmt: skip
def test_what_cannot_be_dialled_is_no_number(raw, country):
    assert phone(country)(raw) is None


@pytest.mark.parametrize(
    "raw",
    ["email:no-reply@shop.example", "email:NoReply@shop.example", "email:null@b.org", "phone:+10000000000",
     "user_id:Guest", "device_id:00000000-0000-0000-0000-000000000000", "anonymous_id:undefined"],
)  # fmt: skip
def test_the_default_types_block_placeholders(raw):
    assert Recogniser(DEFAULT_TYPES, normalisers("US")).rank(raw) == (-1, "blocked")


def test_the_default_types_stand_strong_to_weak():
    names = ["user_id", "crm_contact_id", "loyalty_id", "email", "phone", "device_id", "anonymous_id", "click_id"]
    assert [kind.name for kind in sorted(DEFAULT_TYPES, key=lambda kind: kind.priority)] == names
