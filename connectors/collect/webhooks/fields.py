"""Fields of webhooks' bodies."""

from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.collect.dialects.parsed import Document, Item, Parsed
from connectors.collect.request import Request


def kept(request: Request, documents: list[Document]) -> Parsed:
    """Returns the documents as items that share the body's bytes; a body without any is ignored."""
    return Parsed([Item(request.body, document) for document in documents], ignored=0 if documents else 1)


def numbered(prefix: str, *numbers: Any) -> str:
    """Returns a message id of a prefix and the vendor's numbers; "" if one is missing, so that the content decides."""
    texts = [str(number) for number in numbers if isinstance(number, str | int) and number not in ("", True, False)]
    return f"{prefix}-{'-'.join(texts)}" if len(texts) == len(numbers) else ""


def present(**fields: Any) -> Document:
    """Returns the fields that have a value."""
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def list_of(value: Any) -> list[Any]:
    """Returns a list value, an empty one for any other."""
    return value if isinstance(value, list) else []


def exact_sum(amounts: list[Any]) -> str:
    """Returns the sum of decimal texts, exactly; "" if one of them is none."""
    try:
        return str(sum((Decimal(str(amount)) for amount in amounts), Decimal(0)))
    except InvalidOperation:
        return ""
