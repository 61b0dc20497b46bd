"""The shipped rules: they are consistent, block placeholder values, and accept real identifiers."""

from pathlib import Path

import pytest

from pipeline.event.recognise import CORE_NORMALISERS, Normalisers, Recogniser, lower, text
from pipeline.rules.files import FILES
from pipeline.rules.load import DEFAULTS, load_rules
from pipeline.rules.patterns import any_match
from pipeline.rules.render import file_data, yaml_text

RULES = load_rules()
RECOGNISER = Recogniser(RULES.identifiers, Normalisers(CORE_NORMALISERS | {"email": lower, "phone": text}, any_match))


def recognised(ident: str) -> bool:
    return RECOGNISER.rank(ident)[0] >= 0


def test_types_come_strongest_first_and_each_has_a_rank_of_its_own() -> None:
    names = [identifier.name for identifier in RULES.identifiers]
    assert names == [
        "user_id", "crm_contact_id", "loyalty_id", "email", "phone", "device_id", "anonymous_id", "click_id",
        "account_id",
    ]  # fmt: skip
    ranks = [identifier.priority for identifier in RULES.identifiers]
    assert ranks == sorted(set(ranks))


def test_intake_and_stitch_read_the_same_types() -> None:
    assert [(identifier.name, identifier.priority) for identifier in RULES.identifiers] == [
        (identity_type.name, identity_type.priority) for identity_type in RULES.identity.types
    ]


PLACEHOLDERS = [
    "null", "NULL", "None", "nil", "NaN", "n/a", "undefined", "Undefined", "anonymous", "Anonymous", "guest", "unknown",
    "true", "false", "0", "-1", "00000", "0000-0000", "-", "--", "''", '""', '"null"', "'42'", "`x`", "(not set)",
    "[object Object]", "test", "TEST", "qwerty", "{{user_id}}", "${id}", "%%USER%%", "%user_id%", "*|EMAIL|*",
    "<null>", "\\N", "x" * 129, "…", "(empty)", "#N/A", "#REF!", "Infinity", "[REDACTED]", "Deleted",
    "not_authenticated", "Not logged in", "distinct_id", "distinctId", "email", "id", "“42”", "«null»", '\\"42\\"',
    "%22null%22",
    "00000000-0000-4000-8000-000000000000", "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx", "[]", "{}",
]  # fmt: skip


@pytest.mark.parametrize("value", PLACEHOLDERS)
@pytest.mark.parametrize("kind", ["user_id", "crm_contact_id", "anonymous_id"])
def test_a_placeholder_value_is_not_an_identifier(kind: str, value: str) -> None:
    assert not recognised(f"{kind}:{value}")


@pytest.mark.parametrize("kind", ["user_id", "crm_contact_id", "loyalty_id"])
@pytest.mark.parametrize("value", ["123", "12345", "123456", "1234567"])
def test_a_shop_that_counts_its_customers_reaches_these_numbers(kind: str, value: str) -> None:
    assert recognised(f"{kind}:{value}")


@pytest.mark.parametrize(
    "ident",
    [
        "device_id:00000000-0000-0000-0000-000000000000",
        "device_id:ffffffff-ffff-ffff-ffff-ffffffffffff",
        "device_id:9774D56D682E549C",
        "device_id:000000000000000",
        "device_id:02:00:00:00:00:00",
        "device_id:unknown",
        "device_id:004999010640000",
        "device_id:ff:ff:ff:ff:ff:ff",
        "device_id:0123456789ABCDEF",
        "device_id:12345678-1234-1234-1234-123456789ABC",
        "device_id:xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx",
        "account_id:null",
        "account_id:0",
        "device_id:__IDFA__",
        "anonymous_id:00000000-0000-0000-0000-000000000000",
        "click_id:{gclid}",
        "click_id:[CLICK_ID]",
        "click_id:TeSter-123",
        "click_id:test_gclid",
        "loyalty_id:999999",
        "loyalty_id:0",
        "phone:+10000000000",
        "phone:+19999999999",
        "phone:+491234567890",
        "phone:+1234567",
    ],
)
def test_placeholders_of_devices_cards_and_telephones_are_blocked(ident: str) -> None:
    assert not recognised(ident)


@pytest.mark.parametrize(
    "address",
    [
        "noreply@shop.com", "no-reply@shop.com", "do_not_reply@shop.com", "test@test.com", "test123@gmail.com",
        "test+7@gmail.com", "a@a.com", "none@none.com", "null@shop.com", "undefined@shop.com", "anonymous@shop.com",
        "guest@shop.com", "x@mailinator.com", "asdf@asdf.com", "mailer-daemon@shop.com", "jo@localhost", "jo@box.local",
    ],
)  # fmt: skip
def test_addresses_without_a_reader_are_blocked(address: str) -> None:
    assert not recognised(f"email:{address}")


@pytest.mark.parametrize(
    "ident",
    [
        "user_id:42", "user_id:111111", "user_id:u_1001", "user_id:5f0c3a3e-1111-5000-8000-3c2b1a000001", "user_id:王",
        "user_id:testarossa", "user_id:deletedscenes", "user_id:emaily", "user_id:nameless", "account_id:A-7",
        "user_id:00000000-0000-4000-8000-00000000002a", "device_id:12345678-1234-4234-8234-12345678901f",
        "user_id:001", "user_id:O'Brien", "crm_contact_id:0035e00000AbCdE",
        "loyalty_id:6006491234", "email:ada@example.com", "email:tess.tester@example.org", "email:testino@example.com",
        "email:null.island@sea.org",
        "email:a@smith.org", "email:o'brien@example.ie", "email:x.y@test-kitchen.com", "email:info@shop.com",
        "phone:+4915112345678", "phone:+14155550123", "phone:+442079460000",
        "device_id:6d92078a-8246-4ba4-ae5b-76104861e7dc", "device_id:a1b2c3d4e5f60718",
        "anonymous_id:6d92078a-8246-4ba4-ae5b-76104861e7dc", "anonymous_id:GA1.2.1234567890.1600000000",
        "click_id:EAIaIQobChMIk6_d3v", "click_id:CjwKCAjw_test_x",
    ],
)  # fmt: skip
def test_real_identifiers_pass(ident: str) -> None:
    assert recognised(ident)


def test_the_score_can_reach_the_trigger_and_looking_around_alone_cannot() -> None:
    [trigger] = RULES.triggers.triggers
    caps = {group.name: group.max_points for group in RULES.scores.groups}
    assert trigger.low < trigger.high
    assert caps["browsing"] + caps["campaigns"] < trigger.high
    assert any(rule.points < 0 for rule in RULES.scores.scores)


@pytest.mark.parametrize("spec", FILES, ids=lambda spec: spec.topic)
def test_rules_that_are_shown_load_as_the_same_rules(tmp_path: Path, spec: object) -> None:
    for rules_file in FILES:
        (tmp_path / rules_file.name).write_text(yaml_text(file_data(RULES, rules_file)), encoding="utf-8")
    assert load_rules(tmp_path) == RULES


@pytest.mark.parametrize(
    ("name", "begins"),
    [("scores.yaml", "# fit:"), ("triggers.yaml", "# segment_triggers:"), ("routing.yaml", "# reps:")],
)
def test_the_examples_in_comments_can_be_switched_on(tmp_path: Path, name: str, begins: str) -> None:
    lines = (DEFAULTS / name).read_text(encoding="utf-8").splitlines()
    first = lines.index(begins)
    last = next((place for place in range(first, len(lines)) if not lines[place].startswith("#")), len(lines))
    for place in range(first, last):
        lines[place] = lines[place].removeprefix("# ")
    (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert load_rules(tmp_path) != RULES
