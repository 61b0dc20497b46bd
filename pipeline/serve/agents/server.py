"""The MCP server: tools over the read model, and the rules and schemas as resources."""

from functools import partial
from pathlib import Path
from typing import Any, Final

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import ToolAnnotations

from pipeline.rules.files import FILES
from pipeline.rules.load import origin
from pipeline.serve.access.principal import Principal
from pipeline.serve.agents.tools import CallerOf, Tools
from pipeline.serve.api.gate import principal_in
from pipeline.serve.api.services import Services
from pipeline.version import version
from schemas import text

INSTRUCTIONS: Final = """Customers of a real-time customer data pipeline, as last published.

Start with find_customer; a customer is named by an identifier (type:value) or a profile id in all tools. explain_score
states why a customer is hot, leads the owner and the reason. Lists may be cut: `cut` has their full length.
Values *** are personal data that this key may not read.
"""
SCHEMAS: Final = ("profile-update", "crm-action", "identity-change", "segment-change")
WIRING: Final = frozenset({"sources.yaml", "crm.yaml"})
"""Rules files about senders and CRMs. They hold hashes of keys and addresses, which no question needs."""


def agent_server(services: Services, caller_of: CallerOf, rules_dir: Path | None) -> MCPServer:
    """Returns the server. ``caller_of`` returns the caller of a request."""
    server = MCPServer("stitchline", instructions=INSTRUCTIONS, version=version())
    tools = Tools(services, caller_of)
    reads_only = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    for tool in (
        tools.find_customer, tools.profile, tools.timeline, tools.explain_score, tools.why_linked,
        tools.segment_preview, tools.leads,
    ):  # fmt: skip
        server.tool(annotations=reads_only, structured_output=True)(tool)
    for spec in FILES:
        if spec.name not in WIRING:
            rules_file = server.resource(
                f"stitchline://rules/{spec.name}", name=spec.name, description=spec.title, mime_type="application/yaml"
            )
            rules_file(partial(_rules_text, rules_dir, spec))
    for name in SCHEMAS:
        schema = server.resource(f"stitchline://schemas/{name}", name=name, mime_type="application/json")
        schema(partial(text, name))
    return server


def caller_over_http(context: Context[Any]) -> Principal:
    """Returns the caller of a request that passed the gate.

    Raises:
        LookupError: the request did not come over HTTP.
    """
    request = context.request_context.request
    if request is None:
        message = "a call without an HTTP request has no caller"
        raise LookupError(message)
    return principal_in(request.scope)


def _rules_text(rules_dir: Path | None, spec: Any) -> str:
    return origin(rules_dir, spec).read_text(encoding="utf-8")
