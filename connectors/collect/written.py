"""Answers as bytes."""

from http import HTTPStatus
from typing import Final

from connectors.collect.request import Answer

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def written(answer: Answer, *, keep_alive: bool = True, with_body: bool = True) -> bytes:
    """Returns the bytes of an answer."""
    status, body = _STATUS_LINES[answer.status], answer.body
    further = b"".join([b"%b: %b\r\n" % header for header in answer.headers]) if answer.headers else b""
    if not keep_alive:
        further += b"connection: close\r\n"
    if answer.status == HTTPStatus.NO_CONTENT:
        return b"%b%b\r\n" % (status, further)
    return b"%bcontent-length: %d\r\ncontent-type: %b\r\n%b\r\n%b" % (
        status, len(body), answer.content_type, further, body if with_body else b"",
    )  # fmt: skip
