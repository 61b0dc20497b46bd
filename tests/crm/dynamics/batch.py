"""The server's side of ``$batch``: requests from a multipart body, and a multipart body from their answers."""

import re

import httpx2

BOUNDARY = "batchresponse_1"
_REQUEST = re.compile(r"(GET|POST|PATCH|DELETE) (\S+) HTTP/1\.1")


def requests_of(request: httpx2.Request) -> list[httpx2.Request]:
    """The parts of a batch request, without change sets' brackets."""
    text = request.content.decode()
    boundaries = set(re.findall(r'boundary="?([^";\s]+)"?', request.headers["content-type"] + "\n" + text))
    parts = re.split("|".join(f"--{re.escape(one)}(?:--)?\r?\n?" for one in sorted(boundaries)), text)
    return [one for part in parts if (one := _request(part, request)) is not None]


def _request(part: str, outer: httpx2.Request) -> httpx2.Request | None:
    match = _REQUEST.search(part)
    if match is None:
        return None
    head, _, body = part[match.end() :].lstrip("\r\n").replace("\r\n", "\n").partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    headers["authorization"] = outer.headers.get("authorization", "")
    url = match[2] if match[2].startswith("http") else f"{outer.url.scheme}://{outer.url.host}{match[2]}"
    return httpx2.Request(match[1], url, headers=headers, content=body.strip().encode())


def answer_of(answers: list[httpx2.Response]) -> httpx2.Response:
    """The answer to a batch request."""
    lines: list[str] = []
    for answer in answers:
        shown = [f"{name}: {value}" for name, value in answer.headers.items() if name != "content-length"]
        lines += [
            f"--{BOUNDARY}", "Content-Type: application/http", "Content-Transfer-Encoding: binary", "",
            f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}", *shown, "", answer.text,
        ]  # fmt: skip
    text = "\r\n".join([*lines, f"--{BOUNDARY}--", ""])
    return httpx2.Response(200, headers={"content-type": f"multipart/mixed; boundary={BOUNDARY}"}, text=text)
