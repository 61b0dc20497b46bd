"""Square's webhooks: payments, refunds and customers. ``square_customer_id`` is the customer's id at Square."""

from connectors.collect.dialects.parsed import Document, Item, Parsed, object_of, read_object, text_of
from connectors.collect.request import Request
from connectors.collect.webhooks.fields import kept, numbered, present
from pipeline.event.result import Rejected


def square(request: Request) -> Parsed:
    """Parses completed payments, completed refunds, and customers."""
    read = read_object(request.body)
    if isinstance(read, Rejected):
        return Parsed([Item(request.body, read)])
    kind, thing = text_of(read.get("type")), object_of(object_of(read.get("data")).get("object"))
    documents: list[Document] = []
    payment, refund, customer = (object_of(thing.get(name)) for name in ("payment", "refund", "customer"))
    if kind.startswith("payment.") and payment.get("status") == "COMPLETED":
        documents = [_square_payment(payment)]
    elif kind.startswith("refund.") and refund.get("status") == "COMPLETED":
        documents = [_square_refund(refund)]
    elif kind in {"customer.created", "customer.updated"}:
        documents = [_square_customer(customer)]
    return kept(request, documents)


def _square_payment(payment: Document) -> Document:
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": numbered("square-payment", payment.get("id")),
        "timestamp": payment.get("created_at"),
        "identifiers": present(
            email=payment.get("buyer_email_address"), square_customer_id=payment.get("customer_id")
        ),
        "properties": present(
            order_id=payment.get("order_id") or payment.get("id"), payment_id=payment.get("id"),
            location_id=payment.get("location_id"),
            **_minor(object_of(payment.get("total_money") or payment.get("amount_money"))),
        ),
    }  # fmt: skip


def _square_refund(refund: Document) -> Document:
    return {
        "type": "track",
        "event": "Order Refunded",
        "messageId": numbered("square-refund", refund.get("id")),
        "timestamp": refund.get("created_at"),
        "identifiers": present(square_customer_id=refund.get("customer_id")),
        "properties": present(
            order_id=refund.get("order_id") or refund.get("payment_id"), refund_id=refund.get("id"),
            **_minor(object_of(refund.get("amount_money"))),
        ),
    }  # fmt: skip


def _square_customer(customer: Document) -> Document:
    return {
        "type": "identify",
        "messageId": numbered("square-customer", customer.get("id"), customer.get("updated_at")),
        "timestamp": customer.get("updated_at"),
        "identifiers": present(square_customer_id=customer.get("id")),
        "traits": present(
            email=customer.get("email_address"), phone=customer.get("phone_number"),
            firstName=customer.get("given_name"), lastName=customer.get("family_name"),
        ),
    }  # fmt: skip


def _minor(money: Document) -> Document:
    return {"revenue_minor": money.get("amount"), "currency": money.get("currency")}
