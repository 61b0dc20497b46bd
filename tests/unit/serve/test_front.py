"""Programs and people reach their own part of the server, also with paths that do not exist."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from pipeline.serve.front import Front

CLIENT = TestClient(Front(PlainTextResponse("api"), PlainTextResponse("console")))


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/v1/profiles", "api"), ("/v1/nothing", "api"), ("/v1", "api"), ("/mcp", "api"), ("/mcp/x", "api"),
        ("/", "console"), ("/leads", "console"), ("/v10", "console"), ("/nothing", "console"),
    ],
)  # fmt: skip
def test_a_path_reaches_its_part(path: str, part: str) -> None:
    assert CLIENT.get(path).text == part
