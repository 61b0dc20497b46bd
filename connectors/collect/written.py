"""Answers as bytes."""

from http import HTTPStatus
from typing import Final

from connectors.collect.request import Answer

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def written(answer: Answer, *, keep_alive: bool = True, with_body: bool = True) -> bytes:
    """Returns the bytes of an answer."""
    head = [_STATUS_LINES[answer.status]]
    if answer.status != HTTPStatus.NO_CONTENT:
        head.append(b"content-length: %d\r\ncontent-type: %b\r\n" % (len(answer.body), answer.content_type))
    head += [b"%b: %b\r\n" % header for header in answer.headers]
    head.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
    if with_body:
        head.append(answer.body)
    return b"".join(head)
