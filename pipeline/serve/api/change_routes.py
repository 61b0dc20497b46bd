"""``/v1/changes``: what changed since an id, as pages or as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pipeline.serve.api.answer import plain
from pipeline.serve.api.common import REFUSALS, Limit, answers, caller, services_of
from pipeline.serve.api.gate import key_is_valid
from pipeline.serve.api.strict_route import StrictRoute
from pipeline.serve.read.feed import Change, Changes

router = APIRouter(prefix="/v1/changes", tags=["changes"], route_class=StrictRoute)
POLL_SECONDS: Final = 0.25
HEARTBEAT_POLLS: Final = 40
"""Polls without a change after which a comment is sent, to keep the connection open, and the key is checked."""
RETRY_MS: Final = 2_000
EVENT_STREAM: Final = "text/event-stream"

Kinds = Annotated[
    str,
    Query(
        max_length=100,
        pattern=r"^((profile|segment|lead|identity)(,(profile|segment|lead|identity))*)?$",
        description="profile, segment, lead and identity, separated by commas; empty: all.",
    ),
]
Since = Annotated[
    str, Query(max_length=60, description="Id of the last change that is known; empty: only the newest id.")
]
OfProfile = Annotated[str, Query(max_length=36, description="Only changes of this profile id.")]


@router.get("", responses=answers(Changes, "Changes in the order of their commits, without personal data."))
async def changes(
    request: Request, since: Since = "", kinds: Kinds = "", profile_id: OfProfile = "", limit: Limit = 100
) -> Response:
    """Return the changes after an id. `is_gap` means that older ones are gone: read the current state again."""
    return plain(await _page(request, since, kinds, profile_id, limit))


@router.get(
    "/stream",
    responses={200: {"description": "Server-sent events.", "content": {EVENT_STREAM: {"schema": {}}}}, **REFUSALS},
    response_class=StreamingResponse,
)
async def stream(
    request: Request,
    kinds: Kinds = "",
    profile_id: OfProfile = "",
    since: Since = "",
    last_event_id: Annotated[str, Header(max_length=60)] = "",
) -> Response:
    """Stream changes as they are committed, from now on or after Last-Event-ID.

    The event `reset` means that changes are missing: read the current state again.
    """
    events = _events(request, last_event_id or since, kinds, profile_id)
    return StreamingResponse(events, media_type=EVENT_STREAM, headers={"cache-control": "no-store"})


async def _events(request: Request, since: str, kinds: str, profile_id: str) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MS}\n\n".encode()
    silent = 0
    while True:
        page = await _page(request, since, kinds, profile_id, 500)
        if page.is_gap:
            yield _event("reset", page.last, b"{}")
        elif not since:
            yield f"id: {page.last}\n\n".encode()  # a reconnection resumes here, also before the first change
        if page.items:
            yield b"".join(_event(change.kind, change.id, _data(change)) for change in page.items)
        since, silent = page.last, 0 if page.items else silent + 1
        if silent >= HEARTBEAT_POLLS:
            if not await key_is_valid(request.scope, services_of(request)):
                return
            yield f": still here\nid: {page.last}\n\n".encode()
            silent = 0
        if len(page.items) < 500:
            await asyncio.sleep(POLL_SECONDS)


async def _page(request: Request, since: str, kinds: str, profile_id: str, limit: int) -> Changes:
    services, chosen = services_of(request), [kind for kind in kinds.split(",") if kind]
    return await services.look_up(
        services.reads.feed.since, caller(request).tenant, since, kinds=chosen, profile_id=profile_id, limit=limit
    )


def _event(name: str, number: str, data: bytes) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (number.encode(), name.encode(), data)


def _data(change: Change) -> bytes:
    return msgspec.json.encode({"profile_id": change.profile_id, **change.facts})
