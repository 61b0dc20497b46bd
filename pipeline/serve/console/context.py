"""What every page of the console works with."""

from typing import NamedTuple

from pipeline.clock import Clock
from pipeline.serve.console.data import ConsoleData
from pipeline.serve.console.render import Renderer
from pipeline.serve.signin.attempts import Attempts
from pipeline.serve.signin.oidc.flow import OidcSignIn
from pipeline.serve.signin.sessions import Sessions
from pipeline.serve.signin.users import Users


class ConsoleParts(NamedTuple):
    """The collaborators of the pages."""

    users: Users
    sessions: Sessions
    attempts: Attempts
    data: ConsoleData
    renderer: Renderer
    clock: Clock
    oidc: OidcSignIn | None = None
    """Sign-in at an OpenID provider, if one is configured."""
    public_url: str = ""
    """The URL of browsers if it is another than that of requests: a proxy stands before this server."""
