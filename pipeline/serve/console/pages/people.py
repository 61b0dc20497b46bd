"""Users and their roles, for administrators."""

from starlette.responses import RedirectResponse, Response

from pipeline.errors import MisuseError
from pipeline.serve.console.guard import Visit
from pipeline.serve.signin.roles import Role
from pipeline.serve.signin.users import UserError


def users(visit: Visit, message: str = "", status: int = 200) -> Response:
    """Lists the users, with a form for a new one."""
    return visit.page("users.html", status, users=visit.console.users.all(), roles=list(Role), message=message)


def add_user(visit: Visit) -> Response:
    """Adds a user of the administrator's tenant."""
    form = visit.form
    try:
        visit.console.users.add(form.get("name", ""), form.get("password", ""), _role(form), visit.user.tenant)
    except UserError as error:
        return users(visit, str(error), 400)
    return RedirectResponse("/users", 303)


def set_role(visit: Visit) -> Response:
    """Changes a user's role, which ends the user's sessions."""
    visit.console.users.set_role(_other(visit), _role(visit.form))
    return RedirectResponse("/users", 303)


def remove_user(visit: Visit) -> Response:
    """Removes a user."""
    visit.console.users.remove(_other(visit))
    return RedirectResponse("/users", 303)


def _other(visit: Visit) -> str:
    """Returns the user that the path names. Administrators cannot lock themselves out, nor change other tenants."""
    name = visit.path("name")
    user = visit.console.users.find(name)
    if user is None or user.tenant != visit.user.tenant:
        message = f"There is no user {name} in this tenant."
        raise UserError(message)
    if name == visit.user.name:
        message = "This is your own user: another administrator changes it, or stitchline serve users."
        raise UserError(message)
    return name


def _role(form: dict[str, str]) -> Role:
    try:
        return Role(form.get("role", ""))
    except ValueError as error:
        message = f"There is no such role; the roles are {', '.join(Role)}."
        raise MisuseError(message) from error
