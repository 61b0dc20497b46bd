"""A request after its body has been read, and an answer before it is written."""

from collections.abc import Mapping
from functools import cached_property
from typing import Final
from urllib.parse import parse_qsl

from msgspec import Struct
from msgspec.json import encode

MAX_QUERY_FIELDS: Final = 512
JSON: Final = b"application/json; charset=utf-8"


class Request(Struct, frozen=True, dict=True):
    """A request. Names of headers are in lower case. Of a repeated header or query field the last one counts."""

    method: str
    path: str
    query_string: str = ""
    headers: Mapping[str, str] = {}
    body: bytes = b""
    """The body after decompression."""
    received: bytes = b""
    """The body as received, to which webhook signatures apply."""
    received_ms: int = 0
    """Time of receipt in ms since 1970."""
    client_ip: str = ""
    stated_bytes: int | None = None
    """Length of the body as the head states it; None if the head states none."""

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The fields of the query string; none if there are more than ``MAX_QUERY_FIELDS``."""
        try:
            pairs = parse_qsl(self.query_string, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
        except ValueError:
            return {}
        return dict(pairs)


class Answer(Struct, frozen=True, gc=False):
    """An answer. ``headers`` are added to content type and length."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Refusal(Exception):  # noqa: N818  an answer, not a defect
    """Ends the handling of a request with an answer other than success."""

    def __init__(self, status: int, reason: str, *, retry_after: int = 0) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        """Seconds; 0: no such header."""


def refused(refusal: Refusal) -> Answer:
    """Returns the answer of a refusal. Its text never contains a value of the request."""
    headers = ((b"retry-after", str(refusal.retry_after).encode()),) if refusal.retry_after else ()
    return Answer(refusal.status, encode({"success": False, "error": refusal.reason}), headers=headers)


def too_large(max_bytes: int) -> Refusal:
    """Returns the refusal of a body above the limit."""
    return Refusal(413, f"the body is larger than {max_bytes} bytes")
