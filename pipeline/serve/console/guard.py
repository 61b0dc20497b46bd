"""What stands before every page: the session, the right, the CSRF token; and behind it: the answer to every fault."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote, urlsplit

from confluent_kafka import KafkaException
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.errors import MisuseError, OperatorError
from pipeline.kafka.faults import explained_fault
from pipeline.obs.log import logger
from pipeline.serve.console.context import ConsoleParts
from pipeline.serve.console.cookie import token_of
from pipeline.serve.console.forms import FormError, read_form
from pipeline.serve.signin.roles import Right
from pipeline.serve.signin.sessions import Session
from pipeline.serve.signin.users import User

CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "x-csrf-token"

log = logger(__name__)


class NotFoundError(LookupError):
    """The page's subject does not exist. ``str(error)`` is shown."""


class Visit(NamedTuple):
    """One request of one signed-in person, as a page handles it."""

    request: Request
    console: ConsoleParts
    session: Session
    form: dict[str, str]

    @property
    def user(self) -> User:
        """The person."""
        return self.session.user

    @property
    def sees_personal(self) -> bool:
        """Whether the page may show personal data to this person."""
        return self.user.may(Right.PERSONAL)

    def query(self, name: str, default: str = "") -> str:
        """Returns a parameter of the URL's query."""
        return str(self.request.query_params.get(name, default))

    def path(self, name: str) -> str:
        """Returns a part of the URL's path."""
        return str(self.request.path_params[name])

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Returns a filled template."""
        return self.console.renderer.response(template, status, self.session, self.request, values)


Handler: TypeAlias = Callable[[Visit], Response]
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def guarded(console: ConsoleParts, right: Right, handler: Handler) -> Endpoint:
    """Returns the endpoint of a page that needs ``right``. The handler runs in a thread and may block."""

    async def endpoint(request: Request) -> Response:
        session = await run_in_threadpool(console.sessions.find, token_of(request))
        if session is None:
            return _sign_in(console, request)
        visit = Visit(request, console, session, {})
        if not session.user.may(right):
            return _refused(visit, f"The role {session.user.role.value} does not include this page.")
        if request.method == "POST":
            try:
                visit = visit._replace(form=await read_form(request))
            except FormError as error:
                return visit.page("fault.html", error.status, title="Not accepted", message=str(error))
            if not is_own_form(visit):
                return _refused(visit, "The form is not of this session. Go back, reload the page and send it again.")
        return await run_in_threadpool(_run, handler, visit)

    return endpoint


def is_own_form(visit: Visit) -> bool:
    """Returns whether a form comes from a page of this session: by its token, and by the Origin that browsers add."""
    sent = visit.request.headers.get(CSRF_HEADER) or visit.form.get(CSRF_FIELD, "")
    return is_own_origin(visit.request, visit.console.public_url) and visit.session.accepts(sent)


def is_own_origin(request: Request, public_url: str) -> bool:
    """Returns whether the Origin, if there is one, is the host that the request was sent to, or the public URL's."""
    origin = request.headers.get("origin")
    hosts = {request.headers.get("host", ""), urlsplit(public_url).netloc} - {""}
    return origin is None or urlsplit(origin).netloc in hosts


def _run(handler: Handler, visit: Visit) -> Response:
    try:
        return handler(visit)
    except NotFoundError as error:
        return visit.page("fault.html", 404, title="Not found", message=str(error))
    except MisuseError as error:
        return visit.page("fault.html", 400, title="Not understood", message=str(error))
    except (OperatorError, KafkaException) as error:
        log.warning("console_page_failed", path=visit.request.url.path, error=type(error).__name__)
        return visit.page("fault.html", 503, title="Not available now", message=explained_fault(error))


def _refused(visit: Visit, message: str) -> Response:
    return visit.page("fault.html", 403, title="Not allowed", message=message)


def _sign_in(console: ConsoleParts, request: Request) -> Response:
    """Sends the browser to the sign-in page, and back afterwards. Fragments make the whole page go there.

    A browser that follows a link from another site, as from a CRM, does not send the strict cookie. It is made to load
    the page once more from this site, with the cookie.
    """
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
    if request.method != "GET":
        return RedirectResponse("/sign-in", 303)
    query = f"?{request.url.query}" if request.url.query else ""
    if request.headers.get("sec-fetch-site") == "cross-site":
        return HTMLResponse(console.renderer.text("continue.html", to=request.url.path + query))
    back = quote(request.url.path + query, safe="/")
    return RedirectResponse("/sign-in" if back == "/" else f"/sign-in?back={back}", 303)
