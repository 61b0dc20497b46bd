"""The ``$batch`` format of the Dataverse Web API: several requests in one, answered in their order. Pure.

Requests outside of a change set stand alone: one that fails undoes nothing of the others.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from connectors.crm.exchange import Answer, Call

BOUNDARY: Final = "batch_stitchline"
"""It cannot occur at the beginning of a line of a part: JSON has no line breaks inside of strings."""
CONTINUE: Final = "odata.continue-on-error"
_BOUNDARY: Final = re.compile(r'boundary="?([^";]+)"?')
_STATUS: Final = re.compile(r"HTTP/\d\.\d (\d{3})")


def batch_call(base: str, parts: Sequence[Call], tenant: str) -> Call:
    """Returns the request that holds all parts. It counts as many requests against the limits as it has parts."""
    lines: list[str] = []
    for part in parts:
        headers = {"Content-Type": "application/json", "Accept": "application/json", **part.headers}
        lines += [
            f"--{BOUNDARY}", "Content-Type: application/http", "Content-Transfer-Encoding: binary", "",
            f"{part.method} {base}{part.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "",
            msgspec.json.encode(part.body).decode(),
        ]  # fmt: skip
    body = "\r\n".join([*lines, f"--{BOUNDARY}--", ""])
    headers = {"content-type": f"multipart/mixed; boundary={BOUNDARY}", "prefer": CONTINUE}
    return Call(method="POST", path=f"{base}/$batch", body=body, headers=headers, tenant=tenant, cost=len(parts))


def answers_of(answer: Answer) -> list[Answer]:
    """Returns the answers to the parts of a batch, as many as the answer has."""
    boundary = _BOUNDARY.search(answer.headers.get("content-type", ""))
    if not answer.ok or boundary is None:
        return []
    parts = answer.text.split(f"--{boundary[1]}")[1:-1]
    return [one for part in parts if (one := _answer(part)) is not None]


def _answer(part: str) -> Answer | None:
    status = _STATUS.search(part)
    if status is None:
        return None
    head, _, body = part[status.end() :].replace("\r\n", "\n").partition("\n\n")
    return Answer(status=int(status[1]), headers=_headers(head), body=_json(body.strip()), text=body.strip())


def _headers(head: str) -> Mapping[str, str]:
    pairs = (line.partition(":") for line in head.splitlines() if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _json(body: str) -> Any:
    try:
        return msgspec.json.decode(body) if body else None
    except msgspec.MsgspecError:
        return None
