"""Tools for agents, through the SDK's own client over both transports, on the read model of a simulated shop day."""

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path

import httpx2
import msgspec
import pytest
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from pipeline.serve.access.masking import MASK
from pipeline.serve.agents.bounded import MAX_BYTES, bounded
from pipeline.serve.agents.endpoint import AgentsEndpoint
from pipeline.serve.api.app import api_app
from pipeline.serve.model.store import FOLDER
from tests.unit.serve.conftest import Caller

TOOLS = {"find_customer", "profile", "timeline", "explain_score", "why_linked", "segment_preview", "leads"}


@contextlib.asynccontextmanager
async def serving(services):
    """The endpoint on a free port of the loopback."""
    endpoint = AgentsEndpoint(api_app(services), services, None)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(endpoint, lifespan="off", log_config=None))
    async with endpoint.running():
        task = asyncio.create_task(server._serve([listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        finally:
            server.should_exit = True
            await task


@contextlib.asynccontextmanager
async def client(services, caller: Caller):
    headers = {"authorization": f"Bearer {caller.secret}"}
    async with (
        serving(services) as url,
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http)) as made,
    ):
        yield made


async def ask(made: Client, tool: str, **arguments):
    result = await made.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def refused(made: Client, tool: str, **arguments) -> str:
    result = await made.call_tool(tool, arguments)
    assert result.is_error
    return result.content[0].text


def hot_lead(services):
    """A customer with an open lead."""
    leads = services.reads.leads.page("default", limit=50).items
    return next(lead for lead in leads if lead["kind"] == "lead" and lead["contact"])


async def why_hot_and_who_owns(made: Client, address: str) -> list[tuple[str, dict, dict]]:
    """Answers 'why is this customer hot, and who owns them?' from tools alone. Returns the calls and answers."""
    calls = []

    async def call(tool, **arguments):
        calls.append((tool, arguments, await ask(made, tool, **arguments)))
        return calls[-1][2]

    (customer,) = (await call("find_customer", query=address))["customers"]
    await call("explain_score", customer=customer["profile_id"])
    await call("leads", customer=customer["profile_id"], limit=1)
    return calls


def test_an_agent_answers_why_a_customer_is_hot_and_who_owns_them(services, reader):
    wanted = hot_lead(services)
    address = next(ident for ident in wanted["identifiers"] if ident.startswith("email:"))

    async def play():
        async with client(services, reader) as made:
            assert {tool.name for tool in (await made.list_tools()).tools} == TOOLS
            return await why_hot_and_who_owns(made, address)

    (_, _, found), (_, _, scores), (_, _, leads) = asyncio.run(play())
    (customer,), (lead,) = found["customers"], leads["items"]
    assert customer["profile_id"] == lead["profile_id"]
    assert (lead["owner"], lead["owner_reason"]) == (wanted["owner"], wanted["owner_reason"])
    for score in scores["scores"]:
        assert sum(item["points"] for item in score["contributions"]) == score["value"]


def test_the_same_question_over_stdio(services, store, tmp_path):
    if store.engine.dialect.name != "sqlite":
        pytest.skip("one database is enough: the transport differs, not the answers")
    wanted = hot_lead(services)
    (tmp_path / FOLDER).symlink_to(Path(store.engine.url.database).parent)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("STITCHLINE_")},
        "STITCHLINE_HOME": str(tmp_path),
    }
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "pipeline.cli", "serve", "mcp", "--pii"], env=environment
    )

    async def play():
        async with Client(command) as made:
            return await why_hot_and_who_owns(made, wanted["profile_id"])

    calls = asyncio.run(play())
    assert calls[2][2]["items"][0]["owner_reason"] == wanted["owner_reason"]


def test_personal_data_is_masked_without_its_scope_and_recorded_with_it(services, reader, tmp_path):
    wanted, masked = hot_lead(services), Caller(services, "read")

    async def play(caller):
        async with client(services, caller) as made:
            return await ask(made, "profile", customer=wanted["profile_id"]), await ask(made, "leads", limit=2)

    profile, leads = asyncio.run(play(masked))
    assert all(ident.endswith(f":{MASK}") for ident in profile["identifiers"])
    assert set(leads["items"][0]["contact"].values()) <= {MASK, ""}
    assert not (tmp_path / "audit").exists()
    profile, _ = asyncio.run(play(reader))
    assert wanted["identifiers"][0] in profile["identifiers"]
    (audit,) = (tmp_path / "audit").iterdir()
    lines = [msgspec.json.decode(line) for line in audit.read_bytes().splitlines()]
    assert {line["action"] for line in lines} == {"tool profile", "tool leads"}


def test_a_request_without_a_key_or_of_another_tenant_learns_nothing(services):
    wanted, other = hot_lead(services), Caller(services, "read", "read:pii", tenant="other")

    async def play():
        async with serving(services) as url:
            answer = await asyncio.to_thread(httpx2.post, url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        async with client(services, other) as made:
            return answer.status_code, await refused(made, "profile", customer=wanted["profile_id"])

    status, words = asyncio.run(play())
    assert status == 401
    assert "there is no such customer" in words


def test_mistakes_are_explained_and_people_are_not_searched_without_the_scope(services):
    reader = Caller(services, "read")

    async def play():
        async with client(services, reader) as made:
            return [
                await refused(made, "find_customer", query="ann"),
                await refused(made, "find_customer", query="nothing:1"),
                await refused(made, "segment_preview", condition="evnts over 7 d >= 3"),
                await refused(made, "timeline", customer=hot_lead(services)["profile_id"], cursor="x"),
                await refused(made, "why_linked", a="x", b="y"),
            ], await ask(made, "segment_preview", condition="events over 7 d >= 1")

    words, preview = asyncio.run(play())
    assert "read:pii" in words[0]
    assert "nothing:1" in words[1]
    assert "evnts" in words[2]
    assert preview["examined"] > 0


def test_resources_are_the_rules_in_force_and_the_schemas_without_the_wiring(services, reader):
    async def play():
        async with client(services, reader) as made:
            resources = {str(one.uri) for one in (await made.list_resources()).resources}
            rules = await made.read_resource("stitchline://rules/scores.yaml")
            schema = await made.read_resource("stitchline://schemas/profile-update")
            return resources, rules.contents[0].text, msgspec.json.decode(schema.contents[0].text)

    resources, rules, schema = asyncio.run(play())
    assert "quote_requested" in rules
    assert schema["name"] == "ProfileUpdate"
    assert not {one for one in resources if "crm.yaml" in one or "sources.yaml" in one}


def test_answers_are_bounded_and_say_what_was_cut():
    links = [{"a": "x" * 900, "n": number} for number in range(5000)]
    long = {"id": "p", "links": links, "by": dict.fromkeys("abc", 1)}
    answer = bounded(long)

    assert len(msgspec.json.encode(answer)) <= MAX_BYTES
    assert answer["cut"] == {"links": 5000}
    assert answer["links"][0]["a"].endswith("…")
    assert bounded({"a": [1]}) == {"a": [1]}
