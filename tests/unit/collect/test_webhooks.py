"""Webhooks: each vendor's proof of origin, every change of which is refused, and what its deliveries mean."""

import hmac
import random
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connectors.collect.app import Limits
from pipeline.event.model import Event
from tests.support.collecting import NOW_MS, Door, Reply, shop

URL = "https://events.shop.example"
SECRET = b"s3cret"
SECONDS = str(NOW_MS // 1000)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = b64encode(EC_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

ORDER = {
    "id": 820982911946154500, "email": "ann@example.com", "created_at": "2026-09-21T10:00:00-04:00",
    "total_price": "254.98", "currency": "EUR", "customer": {"id": 115310627314723950, "phone": None},
    "line_items": [{"product_id": 7, "title": "Socks", "price": "9.95", "quantity": 1}],
}  # fmt: skip


def mac(signed: bytes, secret: bytes = SECRET) -> bytes:
    return hmac.new(secret, signed, sha256).digest()


def base64_mac(signed: bytes) -> str:
    return b64encode(mac(signed)).decode()


class Vendor(NamedTuple):
    """How a vendor signs, as its own helper does."""

    sign: Callable[[bytes, str, str], dict[str, str]]
    """Body, URL and time in seconds to headers."""
    body: Any
    signs_time: bool = True
    secret: bytes = SECRET


def stripe_like(header: str) -> Callable[[bytes, str, str], dict[str, str]]:
    return lambda body, _, t: {header: f"t={t},v1={mac(f'{t}.'.encode() + body).hex()}"}


def hubspot(body: bytes, url: str, t: str) -> dict[str, str]:
    ms = f"{t}000"
    signature = base64_mac(b"POST" + url.encode() + body + ms.encode())
    return {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": ms}


def standard(body: bytes, _: str, t: str) -> dict[str, str]:
    signed = f"msg_1.{t}.".encode() + body
    signature = b64encode(mac(signed, b"0123456789abcdef")).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": t, "webhook-signature": f"v1,wrong v1,{signature}"}


def sendgrid(body: bytes, _: str, t: str) -> dict[str, str]:
    signature = EC_KEY.sign(t.encode() + body, ec.ECDSA(SHA256()))
    head = "x-twilio-email-event-webhook-"
    return {f"{head}signature": b64encode(signature).decode(), f"{head}timestamp": t}


VENDORS: dict[str, Vendor] = {
    "stripe": Vendor(stripe_like("stripe-signature"), {"id": "evt_1", "type": "ping", "created": int(SECONDS)}),
    "bottlecrm": Vendor(stripe_like("x-bottlecrm-signature"), {"id": "d1", "event": "ping", "data": {}}),
    "shopify": Vendor(
        lambda body, *_: {"x-shopify-hmac-sha256": base64_mac(body), "x-shopify-topic": "orders/create"}, ORDER, False
    ),
    "square": Vendor(
        lambda body, url, _: {"x-square-hmacsha256-signature": base64_mac(url.encode() + body)}, {"type": "x"}, False
    ),
    "hubspot": Vendor(hubspot, [{"subscriptionType": "contact.creation", "objectId": 7, "portalId": 1, "eventId": 2}]),
    "standard": Vendor(
        standard, {"type": "x", "data": {"userId": "u"}}, True, b"whsec_" + b64encode(b"0123456789abcdef")
    ),
    "meta": Vendor(
        lambda body, *_: {"x-hub-signature-256": "sha256=" + mac(body).hex()}, {"object": "page", "entry": []}, False
    ),
    "sendgrid": Vendor(sendgrid, [{"event": "open", "email": "ann@example.com", "sg_event_id": "e1"}], True, PUBLIC),
}  # fmt: skip


def door_for(tmp_path: Path, vendor: str, *secrets: bytes, **fields: Any) -> Door:
    names = []
    for number, secret in enumerate(secrets):
        (tmp_path / f"secret{number}").write_bytes(secret + b"\n")
        names.append(f"secret{number}")
    source = shop(webhooks=[{"vendor": vendor, "secret_files": names}], channel="email", **fields)
    return Door(source, folder=tmp_path, limits=Limits(public_url=URL + "/"))


def deliver(door: Door, vendor: str, body: Any, headers: dict[str, str] | None = None) -> Reply:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    target = f"/webhooks/{vendor}/shop"
    signed = headers if headers is not None else VENDORS[vendor].sign(content, URL + target, SECONDS)
    return door.send("POST", target, content, signed, key=None)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_signed_delivery_is_taken_and_every_changed_bit_refuses_it(vendor: str, tmp_path: Path) -> None:
    spec = VENDORS[vendor]
    door = door_for(tmp_path, vendor, spec.secret)
    body = msgspec.json.encode(spec.body)
    headers = spec.sign(body, f"{URL}/webhooks/{vendor}/shop", SECONDS)
    assert deliver(door, vendor, body, headers).status == 200
    chance = random.Random(vendor)
    door.kept.records.clear()
    for bit in chance.sample(range(len(body) * 8), min(40, len(body) * 8)):
        changed = bytearray(body)
        changed[bit // 8] ^= 1 << bit % 8
        assert deliver(door, vendor, bytes(changed), headers).status == 401
    proofs = {name: value for name, value in headers.items() if "topic" not in name}
    for name, value in proofs.items():
        for place in range(len(value)):
            other = chr(ord(value[place]) ^ 1)
            changed_value = value[:place] + other + value[place + 1 :]
            if vendor == "standard" and place < value.rfind("v1,"):
                continue  # the signature of another secret, which counts for nothing
            assert deliver(door, vendor, body, {**headers, name: changed_value}).status == 401, (name, place)
        assert deliver(door, vendor, body, {**headers, name: ""}).status == 401
        assert deliver(door, vendor, body, {key: headers[key] for key in headers if key != name}).status == 401
    assert door.kept.records == []


@pytest.mark.parametrize("vendor", [name for name, spec in VENDORS.items() if spec.signs_time])
@pytest.mark.parametrize(("away_seconds", "status"), [(-301, 401), (-299, 200), (299, 200), (301, 401)])
def test_the_signed_time_must_be_near_the_clock_in_both_directions(
    vendor: str, away_seconds: int, status: int, tmp_path: Path
) -> None:
    spec = VENDORS[vendor]
    door = door_for(tmp_path, vendor, spec.secret)
    body = msgspec.json.encode(spec.body)
    headers = spec.sign(body, f"{URL}/webhooks/{vendor}/shop", str(int(SECONDS) + away_seconds))
    assert deliver(door, vendor, body, headers).status == status


@pytest.mark.parametrize("vendor", VENDORS)
def test_two_secrets_are_valid_while_one_replaces_the_other(vendor: str, tmp_path: Path) -> None:
    spec = VENDORS[vendor]
    other = PUBLIC[:-8] + b"AAAAAAA=" if vendor == "sendgrid" else b"whsec_bmV3" if vendor == "standard" else b"new"
    for secrets in ((other, spec.secret), (spec.secret, other)):
        assert deliver(door_for(tmp_path, vendor, *secrets), vendor, spec.body).status == 200
    assert deliver(door_for(tmp_path, vendor, other), vendor, spec.body).status == 401


def test_a_vendor_that_the_source_does_not_take_and_a_source_that_is_not_there_are_refused(tmp_path: Path) -> None:
    door = door_for(tmp_path, "stripe", SECRET)
    body = msgspec.json.encode({"id": "evt", "type": "ping"})
    signed = VENDORS["stripe"].sign(body, "", SECONDS)
    for target in ("/webhooks/bottlecrm/shop", "/webhooks/stripe/other", "/webhooks/nobody/shop"):
        assert door.send("POST", target, body, signed, key=None).status == 401
    assert door.send("GET", "/webhooks/stripe/shop", key=None).status == 404
    assert door.send("POST", "/webhooks/stripe/shop/x", body, signed, key=None).status == 404


@pytest.mark.parametrize(
    ("vendor", "field", "body"),
    [
        ("google", "google_key", {"lead_id": "l1", "user_column_data": []}),
        ("zoho", "token", {"module": "Leads", "ids": ["7"], "operation": "insert"}),
    ],
)
def test_a_shared_token_in_the_body_is_compared_whole(vendor: str, field: str, body: Any, tmp_path: Path) -> None:
    door = door_for(tmp_path, vendor, SECRET)
    for stated, status in (
        ("s3cret", 200),
        ("s3cre", 401),
        ("s3cret\n", 401),
        ("", 401),
        (None, 401),
        (["s3cret"], 401),
    ):
        assert deliver(door, vendor, {**body, field: stated}, {}).status == status


def test_mailguns_signature_in_the_body_is_checked(tmp_path: Path) -> None:
    door = door_for(tmp_path, "mailgun", SECRET)
    event = {"event": "opened", "id": "m1", "recipient": "ann@example.com", "timestamp": NOW_MS / 1000}
    signature = {"timestamp": SECONDS, "token": "abc", "signature": mac(SECONDS.encode() + b"abc").hex()}
    assert deliver(door, "mailgun", {"signature": signature, "event-data": event}, {}).status == 200
    for name in signature:
        wrong = {**signature, name: signature[name][:-1] + "0"}
        if wrong != signature:
            assert deliver(door, "mailgun", {"signature": wrong, "event-data": event}, {}).status == 401
    assert [event.name for event in door.kept.events] == ["Email Opened"]


def meaning(tmp_path: Path, vendor: str, body: Any, **headers: str) -> list[Event]:
    """The events of a delivery."""
    spec = VENDORS.get(vendor)
    door = door_for(tmp_path, vendor, spec.secret if spec else SECRET)
    content = msgspec.json.encode(body)
    signed = spec.sign(content, f"{URL}/webhooks/{vendor}/shop", SECONDS) if spec else {}
    reply = deliver(door, vendor, content, {**signed, **headers})
    assert reply.status == 200, reply.body
    assert reply.json()["rejected"] == []
    return door.kept.events


def test_shopify_orders_are_one_order_however_often_and_by_whatever_topic_they_come(tmp_path: Path) -> None:
    created = meaning(tmp_path, "shopify", ORDER)
    paid = meaning(tmp_path, "shopify", ORDER, **{"x-shopify-topic": "orders/paid"})
    [event] = created
    assert (event.name, event.properties["revenue"], event.properties["currency"]) == (
        "Order Completed",
        "254.98",
        "EUR",
    )
    assert event.identifiers == ["email:ann@example.com", "shopify_customer_id:115310627314723950"]
    assert event.timestamp_ms == 1_789_999_200_000
    assert [paid[0].message_id, paid[0].timestamp_ms] == [event.message_id, event.timestamp_ms]


def test_shopify_refunds_come_with_the_order_and_add_up_exactly(tmp_path: Path) -> None:
    refund = {
        "id": 9, "created_at": "2026-09-21T11:00:00-04:00",
        "transactions": [{"kind": "refund", "amount": "0.10"}, {"kind": "refund", "amount": "0.20"}, {"kind": "void"}],
    }  # fmt: skip
    [event] = meaning(tmp_path, "shopify", {**ORDER, "refunds": [refund]}, **{"x-shopify-topic": "orders/updated"})
    assert (event.name, event.message_id, event.properties["revenue"]) == ("Order Refunded", "shopify-refund-9", "0.30")


def test_stripes_partial_refunds_are_the_difference(tmp_path: Path) -> None:
    charge = {"id": "ch", "amount_refunded": 900, "currency": "eur", "billing_details": {"email": "a@example.com"}}
    body = {
        "id": "evt_2", "type": "charge.refunded", "created": int(SECONDS),
        "data": {"object": charge, "previous_attributes": {"amount_refunded": 400}},
    }  # fmt: skip
    [event] = meaning(tmp_path, "stripe", body)
    assert (event.properties["revenue_minor"], event.properties["currency"]) == (500, "EUR")


@pytest.mark.parametrize(
    ("vendor", "body", "expected"),
    [
        (
            "stripe",
            {"type": "checkout.session.completed", "created": int(SECONDS), "data": {"object": {
                "id": "cs", "amount_total": 1999, "currency": "eur", "payment_status": "paid",
                "client_reference_id": "u1", "customer_details": {"email": "a@example.com"}}}},
            ("track", "Order Completed", ["user_id:u1", "email:a@example.com"]),
        ),
        (
            "square",
            {"type": "payment.updated", "data": {"object": {"payment": {
                "id": "p1", "status": "COMPLETED", "order_id": "o1", "buyer_email_address": "a@example.com",
                "created_at": "2026-09-21T13:00:00Z", "total_money": {"amount": 500, "currency": "EUR"}}}}},
            ("track", "Order Completed", ["email:a@example.com"]),
        ),
        ("hubspot", VENDORS["hubspot"].body, ("track", "CRM Record Created", ["crm_contact_id:7"])),
        (
            "hubspot",
            [{"subscriptionType": "contact.propertyChange", "objectId": 7, "portalId": 1, "eventId": 3,
              "occurredAt": NOW_MS, "propertyName": "email", "propertyValue": "a@example.com"}],
            ("identify", "", ["crm_contact_id:7", "email:a@example.com"]),
        ),
        (
            "sendgrid",
            [{"event": "bounce", "type": "blocked", "email": "a@example.com", "timestamp": int(SECONDS),
              "sg_event_id": "e"}, {"event": "processed"}],
            ("track", "Email Bounced", ["email:a@example.com"]),
        ),
        ("standard", {"type": "x.y", "data": {"userId": "u", "n": 1}}, ("track", "x.y", ["user_id:u"])),
        (
            "bottlecrm",
            {"id": "d1", "event": "lead.created", "created_at": "2026-09-21T13:00:00Z",
             "data": {"id": "L1", "email": "a@example.com"}},
            ("identify", "", ["crm_contact_id:L1", "email:a@example.com"]),
        ),
        (
            "bottlecrm",
            {"id": "d2", "event": "interaction.created", "created_at": "2026-09-21T13:00:00Z",
             "data": {"id": "i1", "kind": "call", "contact_id": "C1", "subject": "Price", "occurred_at": None}},
            ("track", "Call Logged", ["crm_contact_id:C1"]),
        ),
        (
            "google",
            {"google_key": "s3cret", "lead_id": "l1", "gcl_id": "abc", "campaign_id": 5, "user_column_data": [
                {"column_id": "EMAIL", "string_value": "a@example.com"}, {"column_id": "BUDGET", "string_value": "9"}]},
            ("track", "Lead Submitted", ["email:a@example.com", "click_id:abc"]),
        ),
        (
            "zoho",
            {"token": "s3cret", "module": "Leads", "ids": ["77"], "operation": "update", "channel_id": 1,
             "server_time": NOW_MS},
            ("track", "CRM Record Updated", ["crm_contact_id:77"]),
        ),
    ],
)  # fmt: skip
def test_what_a_delivery_means(vendor: str, body: Any, expected: tuple[Any, ...], tmp_path: Path) -> None:
    [event] = meaning(tmp_path, vendor, body)
    assert (event.type, event.name, event.identifiers) == expected
    assert meaning(tmp_path, vendor, body)[0].message_id == event.message_id


def test_what_concerns_no_customer_is_counted_and_not_kept(tmp_path: Path) -> None:
    assert meaning(tmp_path, "stripe", {"type": "ping"}) == []
    assert meaning(tmp_path, "google", {"google_key": "s3cret", "is_test": True}) == []
    door = door_for(tmp_path, "stripe", SECRET)
    assert deliver(door, "stripe", {"type": "ping"}).json()["dropped"] == {"ignored": 1}


@pytest.mark.parametrize("vendor", [*VENDORS, "mailgun", "google", "zoho"])
def test_nonsense_of_a_vendor_is_quarantined_or_ignored(vendor: str, tmp_path: Path) -> None:
    spec = VENDORS.get(vendor)
    door = door_for(tmp_path, vendor, spec.secret if spec else SECRET)
    bodies = [b"", b"{", b"[1]", b"[]", b"null", b'{"data":{"object":[]},"event":{},"type":[]}', b'[{"event":"open"}]']
    for body in bodies:
        signed = spec.sign(body, f"{URL}/webhooks/{vendor}/shop", SECONDS) if spec else {}
        reply = deliver(door, vendor, body, signed)
        assert reply.status == (200 if spec else 401)
    assert door.kept.events == []
