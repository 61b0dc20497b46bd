"""Stripe's webhooks: checkouts, refunds, renewals and customers. A ``stripe_customer_id`` is the id at Stripe."""

from typing import Any

from connectors.collect.dialects.parsed import Document, Item, Parsed, object_of, read_object, text_of
from connectors.collect.request import Request
from connectors.collect.webhooks.fields import kept, numbered, present
from pipeline.event.result import Rejected


def stripe(request: Request) -> Parsed:
    """Parses paid checkouts, refunds, paid invoices of subscriptions, and customers."""
    read = read_object(request.body)
    if isinstance(read, Rejected):
        return Parsed([Item(request.body, read)])
    thing = object_of(object_of(read.get("data")).get("object"))
    kind, at = text_of(read.get("type")), read.get("created")
    documents: list[Document] = []
    is_paid = kind == "checkout.session.completed" and thing.get("payment_status") != "unpaid"
    if is_paid or kind == "checkout.session.async_payment_succeeded":
        documents = [_stripe_checkout(thing, at)]
    elif kind == "charge.refunded":
        before = object_of(object_of(read.get("data")).get("previous_attributes")).get("amount_refunded")
        documents = [_stripe_refund(thing, before, at, text_of(read.get("id")))]
    elif kind == "invoice.paid" and thing.get("billing_reason") == "subscription_cycle":
        documents = [_stripe_invoice(thing, at)]
    elif kind in {"customer.created", "customer.updated"}:
        documents = [_stripe_customer(thing, at, text_of(read.get("id")))]
    return kept(request, documents)


def _stripe_checkout(session: Document, at: Any) -> Document:
    person = object_of(session.get("customer_details"))
    document: Document = {
        "type": "track",
        "event": "Order Completed",
        "messageId": numbered("stripe-checkout", session.get("id")),
        "timestamp": at,
        "identifiers": present(
            email=person.get("email") or session.get("customer_email"), phone=person.get("phone"),
            stripe_customer_id=session.get("customer"),
        ),
        "properties": present(
            order_id=session.get("payment_intent") or session.get("id"), checkout_id=session.get("id"),
            revenue_minor=session.get("amount_total"), currency=_currency(session),
        ),
    }  # fmt: skip
    if user := text_of(session.get("client_reference_id")):
        document["userId"] = user
    return document


def _stripe_refund(charge: Document, before: Any, at: Any, number: str) -> Document:
    """Returns the newest refund of a charge: Stripe states the sum of all refunds, now and ``before``."""
    total = charge.get("amount_refunded")
    amount = total - before if isinstance(total, int) and isinstance(before, int) else total
    person = object_of(charge.get("billing_details"))
    return {
        "type": "track",
        "event": "Order Refunded",
        "messageId": numbered("stripe", number),
        "timestamp": at,
        "identifiers": present(
            email=person.get("email") or charge.get("receipt_email"), stripe_customer_id=charge.get("customer")
        ),
        "properties": present(
            order_id=charge.get("payment_intent") or charge.get("id"), refund_id=number,
            revenue_minor=amount, currency=_currency(charge),
        ),
    }  # fmt: skip


def _stripe_invoice(invoice: Document, at: Any) -> Document:
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": numbered("stripe-invoice", invoice.get("id")),
        "timestamp": at,
        "identifiers": present(
            email=invoice.get("customer_email"), phone=invoice.get("customer_phone"),
            stripe_customer_id=invoice.get("customer"),
        ),
        "properties": present(
            order_id=invoice.get("id"), revenue_minor=invoice.get("amount_paid"), currency=_currency(invoice),
            subscription=True,
        ),
    }  # fmt: skip


def _stripe_customer(customer: Document, at: Any, number: str) -> Document:
    return {
        "type": "identify",
        "messageId": numbered("stripe", number),
        "timestamp": at,
        "identifiers": present(stripe_customer_id=customer.get("id")),
        "traits": present(email=customer.get("email"), phone=customer.get("phone"), name=customer.get("name")),
    }


def _currency(thing: Document) -> str:
    return text_of(thing.get("currency")).upper()
