"""A route that refuses query parameters it does not know: a misspelt filter must not select everything."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from pipeline.serve.api.problems import ProblemError


class StrictRoute(APIRoute):
    """A route of FastAPI with closed query parameters, each at most once."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns the handler of a request."""
        handle = super().get_route_handler()
        known = frozenset(parameter.alias for parameter in self.dependant.query_params)

        async def strictly(request: Request) -> Response:
            if request.scope["query_string"]:
                sent = [name for name, _ in request.query_params.multi_items()]
                if len(sent) != len(set(sent)) or not known.issuperset(sent):
                    allowed = ", ".join(sorted(known)) or "none"
                    raise ProblemError(400, "invalid-request", f"query parameters, each once at most: {allowed}")
            return await handle(request)

        return strictly
