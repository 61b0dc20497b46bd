"""Shopify's webhooks: orders, cancellations, refunds, checkouts and customers.

A message id is made of what the event is about, so that a repeated delivery, and two deliveries about one order, are
one event. The customer's id at the shop becomes an identifier ``shopify_customer_id``, which counts where
``identifiers.yaml`` declares it.
"""

from typing import Any, Final

from connectors.collect.dialects.parsed import Document, Item, Parsed, object_of, read_object, text_of
from connectors.collect.request import Request
from connectors.collect.webhooks.fields import exact_sum, kept, list_of, numbered, present
from pipeline.event.result import Rejected

_ORDERS: Final = frozenset({"orders/create", "orders/paid"})


def shopify(request: Request) -> Parsed:
    """Parses orders, cancellations, refunds (in ``orders/updated``), checkouts and customers, by the topic's header."""
    read = read_object(request.body)
    if isinstance(read, Rejected):
        return Parsed([Item(request.body, read)])
    topic = request.headers.get("x-shopify-topic", "")
    if topic in _ORDERS:
        documents = [_shopify_order(read, "Order Completed", read.get("created_at"))]
    elif topic == "orders/cancelled":
        documents = [_shopify_order(read, "Order Cancelled", read.get("cancelled_at"))]
    elif topic == "orders/updated":
        documents = [_shopify_refund(read, object_of(refund)) for refund in list_of(read.get("refunds"))]
    elif topic in {"checkouts/create", "checkouts/update"}:
        documents = [_shopify_checkout(read)]
    elif topic in {"customers/create", "customers/update"}:
        documents = [_shopify_customer(read)]
    else:
        documents = []
    return kept(request, documents)


def _shopify_order(order: Document, name: str, at: Any) -> Document:
    number = order.get("id")
    return {
        "type": "track",
        "event": name,
        "messageId": numbered(f"shopify-{name.lower().replace(' ', '-')}", number),
        "timestamp": at,
        "identifiers": _shopify_person(order),
        "properties": present(
            order_id=str(number), revenue=order.get("total_price"), currency=order.get("currency"),
            coupon=_coupon(order), products=_lines(order),
        ),
    }  # fmt: skip


def _shopify_refund(order: Document, refund: Document) -> Document:
    amounts = [
        object_of(transaction)
        for transaction in list_of(refund.get("transactions"))
        if object_of(transaction).get("kind") == "refund"
    ]
    total = amounts[0].get("amount") if len(amounts) == 1 else exact_sum([amount.get("amount") for amount in amounts])
    return {
        "type": "track",
        "event": "Order Refunded",
        "messageId": numbered("shopify-refund", refund.get("id")),
        "timestamp": refund.get("created_at"),
        "identifiers": _shopify_person(order),
        "properties": present(
            order_id=str(order.get("id")), refund_id=str(refund.get("id")), revenue=total,
            currency=amounts[0].get("currency") if amounts else order.get("currency"),
        ),
    }  # fmt: skip


def _shopify_checkout(checkout: Document) -> Document:
    return {
        "type": "track",
        "event": "Checkout Started",
        "messageId": numbered("shopify-checkout", checkout.get("token")),
        "timestamp": checkout.get("created_at"),
        "identifiers": _shopify_person(checkout),
        "properties": present(
            checkout_id=checkout.get("token"), value=checkout.get("total_price"), currency=checkout.get("currency"),
            products=_lines(checkout),
        ),
    }  # fmt: skip


def _shopify_customer(customer: Document) -> Document:
    return {
        "type": "identify",
        "messageId": numbered("shopify-customer", customer.get("id"), customer.get("updated_at")),
        "timestamp": customer.get("updated_at"),
        "identifiers": present(shopify_customer_id=customer.get("id")),
        "traits": present(
            email=customer.get("email"), phone=customer.get("phone"), firstName=customer.get("first_name"),
            lastName=customer.get("last_name"),
        ),
    }  # fmt: skip


def _shopify_person(document: Document) -> Document:
    customer = object_of(document.get("customer"))
    return present(
        email=document.get("email") or document.get("contact_email") or customer.get("email"),
        phone=document.get("phone") or customer.get("phone"),
        shopify_customer_id=customer.get("id"),
    )


def _lines(document: Document) -> list[Document]:
    return [_shopify_line(object_of(line)) for line in list_of(document.get("line_items"))]


def _shopify_line(line: Document) -> Document:
    return present(
        product_id=line.get("product_id"), sku=line.get("sku"), name=line.get("title"), price=line.get("price"),
        quantity=line.get("quantity"),
    )  # fmt: skip


def _coupon(order: Document) -> str:
    codes = [text_of(object_of(code).get("code")) for code in list_of(order.get("discount_codes"))]
    return ",".join(filter(None, codes))
