"""Reads the body of a form within a limit."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

MAX_BODY_BYTES: Final = 1 << 20
"""A set of rules files is far smaller."""
MAX_FIELDS: Final = 100
CONTENT_TYPE: Final = "application/x-www-form-urlencoded"


class FormError(ValueError):
    """The body is not a form that the console takes. ``status`` is the HTTP status of the answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


async def read_form(request: Request) -> dict[str, str]:
    """Returns the fields of a form; of a name that comes twice the last.

    Raises:
        FormError: the body is too long, has too many fields, or another content type.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != CONTENT_TYPE:
        message = f"forms are sent as {CONTENT_TYPE}"
        raise FormError(message, 415)
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                message = f"the form is larger than {MAX_BODY_BYTES} bytes"
                raise FormError(message, 413)
    except ClientDisconnect as error:
        message = "the form did not arrive"
        raise FormError(message, 400) from error
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        message = "the form is not UTF-8, or has too many fields"
        raise FormError(message, 400) from error
    return dict(fields)
