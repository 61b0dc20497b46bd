"""Fills the templates. Every value is escaped; a template cannot name a variable that its page did not pass."""

import hashlib
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pipeline.clock import Clock
from pipeline.serve.console import formats
from pipeline.serve.console.navigation import sections_for
from pipeline.serve.signin.roles import Right
from pipeline.serve.signin.sessions import Session
from pipeline.version import version

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"


class Renderer:
    """The environment of all templates."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._environment.filters |= formats.FILTERS
        self._environment.globals |= {
            "static": static_url, "Right": Right, "bar": formats.bar, "version": version(), "chart": formats.chart,
        }  # fmt: skip

    def text(self, template: str, **values: Any) -> str:
        """Returns a filled template."""
        return self._environment.get_template(template).render(now_ms=self._clock(), **values)

    def response(
        self, template: str, status: int, session: Session | None, request: Request, values: dict[str, Any]
    ) -> Response:
        """Returns a filled page for a session, or for a visitor without one."""
        user = session.user if session else None
        text = self.text(
            template,
            user=user,
            csrf=session.csrf_token if session else "",
            sections=sections_for(user) if user else [],
            path=request.url.path,
            sees_personal=bool(user and user.may(Right.PERSONAL)),
            **values,
        )
        return HTMLResponse(text, status)


def static_url(name: str) -> str:
    """Returns the URL of an asset, with its hash: it is cached for good, and a new version has a new URL."""
    return f"/static/{name}?v={_HASHES[name]}"


_HASHES: Final = {
    path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in sorted(STATIC.iterdir()) if path.is_file()
}
