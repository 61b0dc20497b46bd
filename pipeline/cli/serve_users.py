"""``stitchline serve users``: people that sign in to the console.

Exit codes: 0 done, 1 the database refused, 2 wrong use: the user exists or does not, or the password is too short.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getpass
from typing import Annotated, Any

import typer
from sqlalchemy.exc import SQLAlchemyError

from pipeline.cli.explained import explained
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.screen import screen
from pipeline.cli.tables import titled_table
from pipeline.clock import wall_clock_ms
from pipeline.event.instant import format_instant
from pipeline.serve.model.store import store_of
from pipeline.serve.signin.roles import Role
from pipeline.serve.signin.tables import create_tables
from pipeline.serve.signin.users import User, UserError, Users
from pipeline.settings import Settings

EXAMPLES = """\b
Exit codes: 0 done; 1 the database refused; 2 wrong command line, or the user exists or does not.
\b
Examples:
  stitchline serve users add ann@shop.example --role marketer
  stitchline serve users add ops@shop.example --role operator --tenant north < password.txt
  stitchline serve users passwd ann@shop.example
  stitchline serve users role ann@shop.example admin
  stitchline serve users rm ann@shop.example
  stitchline serve users ls --json
"""

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name to sign in with, such as an e-mail address.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

users = typer.Typer(no_args_is_help=True, help="People that sign in to the console, with password and role.")


@users.command("add", epilog=EXAMPLES)
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="What the user may see and do; see deploy/docs/console.md.")],
    tenant: Annotated[str, typer.Option(help="The tenant whose customers the user sees.")] = "default",
    as_json: Json = False,
) -> None:
    """Add a user. The command prompts for the password, or reads it from standard input if that is no terminal."""
    with _users() as known:
        known.add(name, _new_password(), role, tenant)
        _show(known, name, as_json=as_json)


@users.command("passwd", epilog=EXAMPLES)
def passwd(name: Name, as_json: Json = False) -> None:
    """Replace a user's password, and end the user's sessions."""
    with _users() as known:
        known.set_password(name, _new_password())
        _show(known, name, as_json=as_json)


@users.command("role", epilog=EXAMPLES)
def set_role(
    name: Name,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="The new role.")],
    as_json: Json = False,
) -> None:
    """Replace a user's role, and end the user's sessions."""
    with _users() as known:
        known.set_role(name, role)
        _show(known, name, as_json=as_json)


@users.command("rm", epilog=EXAMPLES)
def remove(name: Name) -> None:
    """Remove a user, and end the user's sessions."""
    with _users() as known:
        known.remove(name)
    print_line(f"user {name} is removed")


@users.command("ls", epilog=EXAMPLES)
def ls(as_json: Json = False) -> None:
    """List the users."""
    with _users() as known:
        found = known.all()
    if as_json:
        print_json({"users": [_view(user) for user in found]}, indent=2)
        return
    table = titled_table("Users of the console", "name", "role", "tenant", "signs in by", "changed")
    for user in found:
        table.add_row(user.name, user.role.value, user.tenant, _means(user), format_instant(user.changed_ms) or "")
    screen().print(table)


@contextmanager
def _users() -> Iterator[Users]:
    with explained(OSError, SQLAlchemyError):
        settings = Settings()
        store = store_of(settings)
        try:
            store.prepare(settings.topic_prefix)
            create_tables(store.engine)
            yield Users(store.engine, wall_clock_ms)
        finally:
            store.close()


def _new_password() -> str:
    """Returns the password that is typed twice, or the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass("Password: ")
    if getpass("Again: ") != password:
        message = "the two passwords differ"
        raise UserError(message)
    return password


def _view(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "role": user.role.value,
        "tenant": user.tenant,
        "signs_in_by": _means(user),
        "changed": format_instant(user.changed_ms),
    }


def _means(user: User) -> str:
    return "openid" if user.is_external else "password"


def _show(known: Users, name: str, *, as_json: bool) -> None:
    user = known.find(name)
    if user is not None and as_json:
        print_json(_view(user))
    elif user is not None:
        print_line(f"user {user.name}: {user.role.value} of tenant {user.tenant}")
