"""Events as senders write them: what cannot be used costs the value and not the event. Through ``simulate``."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.testing.build import START_MS, event_json
from tests.support.as_sent import simulate

order = partial(event_json, name="order_completed", userId="ann")


def raw_order(properties: str, **fields: Any) -> bytes:
    """An order whose properties are this very text."""
    return json.dumps(order(1, properties="PROPERTIES", **fields)).replace('"PROPERTIES"', properties).encode()


@pytest.mark.parametrize("bag", ["properties", "context", "traits"])
def test_php_writes_an_empty_object_as_an_empty_array(tmp_path: Path, bag: str) -> None:
    assert simulate(tmp_path, [order(1, **{bag: []})]).number("orders") == 1


@pytest.mark.parametrize(
    "note",
    ['"half \\ud83d"', '"half \\ude00"', '"\\ud83d\\ud83d\\ude00"', "1" * 30, "NaN", "1e999"],
)
def test_a_value_that_no_one_can_use_costs_itself_alone(tmp_path: Path, note: str) -> None:
    outcome = simulate(tmp_path, [raw_order(f'{{"revenue": 19.99, "note": {note}, "deep": [{{"n": {note}}}]}}')])
    assert (outcome.number("orders"), outcome.number("spent")) == (1, {"USD": 1999})
    assert outcome.rejects == outcome.quarantined == []


def test_half_an_emoji_becomes_the_replacement_character(tmp_path: Path) -> None:
    line = json.dumps(event_json(1, type="identify", userId="u", traits={"n": "a\ud83d"})).encode()
    assert simulate(tmp_path, [line]).profile["traits"]["n"]["value"] == "a\ufffd"


def test_a_wide_integer_stays_as_its_text(tmp_path: Path) -> None:
    wide = 123456789012345678901234567890
    sent = event_json(1, type="identify", userId="u", traits={"n": wide, "m": 2**63})
    traits = simulate(tmp_path, [sent]).profile["traits"]
    assert (traits["n"]["value"], traits["m"]["value"]) == (str(wide), str(2**63))


ENVELOPE = {
    "request_ip": "198.51.100.7", "requestIp": "198.51.100.7", "rudderId": "r1", "writeKey": "w1",
    "integrations": {"All": True}, "_metadata": {"bundled": []}, "version": 2, "projectId": "p1",
    "sentAt": "2026-03-01T12:00:05Z", "receivedAt": "2026-03-01T12:00:06Z",
    "originalTimestamp": "2026-03-01T12:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize("word", ["client", "server", "mobile", "android-sdk", "ios", "sources", "browser"])
def test_a_real_envelope_is_taken_and_its_channel_comes_from_the_source(tmp_path: Path, word: str) -> None:
    sent = order(1, channel=word, **ENVELOPE)
    outcome = simulate(tmp_path, [sent], "--channel", "pos")
    assert outcome.profile["last_touch"]["channel"] == "pos"
    assert outcome.number("orders") == 1
    assert simulate(tmp_path, [sent]).number("orders") == 1


@pytest.mark.parametrize(
    "form",
    ["2026-03-01 12:00:00 UTC", "2026-03-01 12:00:00 +0000", 1772366400, 1772366400000, 1772366400000000, "1772366400"],
)
def test_a_time_is_read_in_the_forms_that_senders_write(tmp_path: Path, form: Any) -> None:
    assert simulate(tmp_path, [order(1, timestamp=form)]).profile["last_touch"]["timestamp_ms"] == START_MS


@pytest.mark.parametrize("form", [0, 20261101, 10**10, "01/02/2026", "20261101"])
def test_an_ambiguous_time_is_refused_also_in_a_replay(tmp_path: Path, form: Any) -> None:
    outcome = simulate(tmp_path, [order(1, timestamp=form)], "--clock", "stream")
    assert (outcome.exit_code, [reject["reason"] for reject in outcome.rejects]) == (3, ["invalid_field"])


def test_a_device_clock_that_runs_years_ahead_is_corrected(tmp_path: Path) -> None:
    ahead = {"originalTimestamp": "2031-03-01T12:00:00Z", "sentAt": "2031-03-01T12:00:30Z"}
    sent = order(1, **ahead, receivedAt="2026-03-01T12:00:30Z", timestamp="2031-03-01T12:00:00Z")
    assert simulate(tmp_path, [sent]).profile["last_touch"]["timestamp_ms"] == START_MS


def test_traits_that_an_identify_carries_in_its_context_are_traits(tmp_path: Path) -> None:
    sent = event_json(1, type="identify", userId="u", context={"traits": {"plan": "gold"}}, traits={"age": 3})
    traits = simulate(tmp_path, [sent]).profile["traits"]
    assert {name: trait["value"] for name, trait in traits.items()} == {"plan": "gold", "age": 3}


def test_a_groups_traits_are_the_accounts_and_never_the_persons(tmp_path: Path) -> None:
    person = event_json(1, type="identify", userId="g", traits={"name": "Gina", "email": "gina@acme.example"})
    account = {"name": "Acme", "email": "office@acme.example", "plan": "enterprise"}
    group = event_json(2, type="group", userId="g", groupId="acme", traits=account)
    names = ["checkout_started", "product_added", "product_added", "quote_requested", "quote_requested"]
    hot = [event_json(n, name, userId="g") for n, name in enumerate(names, 3)]
    outcome = simulate(tmp_path, [person, group, *hot])
    assert {name: trait["value"] for name, trait in outcome.profile["traits"].items()} == person["traits"]
    assert outcome.profile["accounts"] == {"acme": account}
    assert "account_id:acme" in outcome.profile["identifiers"]
    lead = outcome.actions[0]
    assert (lead["contact"]["name"], lead["contact"]["email"]) == ("Gina", "gina@acme.example")


def test_members_of_one_account_stay_two_people(tmp_path: Path) -> None:
    groups = [event_json(n, type="group", userId=f"u{n}", groupId="acme", traits={"name": "Acme"}) for n in (1, 2)]
    assert len(simulate(tmp_path, groups).profiles) == 2


@pytest.mark.parametrize(("allowed", "known"), [(True, ["d1", "ad-1"]), (False, ["d1"]), (None, ["d1"])])
def test_a_device_and_its_advertising_id_identify_where_tracking_is_allowed(
    tmp_path: Path, allowed: bool | None, known: list[str]
) -> None:
    device = {"id": "d1", "advertisingId": "AD-1", "adTrackingEnabled": allowed}
    sent = event_json(1, userId="u", context={"device": device})
    assert set(simulate(tmp_path, [sent]).profile["identifiers"]) == {"user_id:u", *(f"device_id:{i}" for i in known)}


def test_external_ids_identify_by_their_type_and_hashed_ones_do_not(tmp_path: Path) -> None:
    external = [
        {"id": "l-77", "type": "loyalty_id", "collection": "users", "encoding": "none"},
        {"id": "ab12", "type": "ios.idfa"},
        {"id": "9f86d0", "type": "email", "encoding": "sha256"},
    ]
    sent = event_json(1, userId="u", context={"externalIds": external})
    result = simulate(tmp_path, [sent]).profile["identifiers"]
    assert set(result) == {"user_id:u", "loyalty_id:l-77", "device_id:ab12"}


def test_a_trait_set_once_keeps_its_first_value_until_it_is_set(tmp_path: Path) -> None:
    later = event_json(2, type="identify", userId="u", traits={"$set_once": {"plan": "b", "via": "ads"}})
    first = event_json(1, userId="u", properties={"$set_once": {"plan": "a"}})
    for order_ in ([later, first], [first, later]):
        traits = simulate(tmp_path, order_).profile["traits"]
        assert {name: trait["value"] for name, trait in traits.items()} == {"plan": "a", "via": "ads"}
    stated = event_json(0, type="identify", userId="u", traits={"plan": "c"})
    assert simulate(tmp_path, [later, first, stated]).profile["traits"]["plan"]["value"] == "c"
