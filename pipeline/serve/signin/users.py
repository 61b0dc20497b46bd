"""Users with a password, stored as argon2id hashes with the parameters of RFC 9106's second recommendation.

Users that an OpenID provider signs in are in the same table, without a hash: :mod:`pipeline.serve.signin.federated`.
"""

import threading
from typing import Any, Final, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Engine, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.clock import Clock
from pipeline.errors import MisuseError
from pipeline.event.validate import is_tenant
from pipeline.serve.signin.roles import RIGHTS, Right, Role
from pipeline.serve.signin.tables import IDENTITIES, SESSIONS, USERS

MIN_PASSWORD_CHARS: Final = 12
MAX_PASSWORD_CHARS: Final = 256
"""Longer ones are refused unread: hashing a megabyte is a way to keep a server busy."""
MAX_NAME_CHARS: Final = 64

_HASHER: Final = PasswordHasher()  # argon2-cffi's defaults: argon2id, 64 MiB, 3 passes, 4 lanes
_NO_USER: Final = _HASHER.hash("no user has this password")
"""Verified for unknown names, so that the time of an answer does not reveal which names exist."""
_HASHED_AT_ONCE: Final = threading.BoundedSemaphore(4)
"""Each verification takes 64 MiB: a flood of sign-ins must not take the server's memory."""


class UserError(MisuseError):
    """The user cannot be stored as stated. Operator action: ``str(error)`` states what to write."""


class User(NamedTuple):
    """One person, as sessions and pages see them."""

    name: str
    tenant: str
    role: Role
    changed_ms: int = 0
    """Time of the last change of password or role. Sessions opened before it are over."""
    is_external: bool = False
    """Whether an OpenID provider signs the person in and decides the role."""

    def may(self, right: Right) -> bool:
        """Returns whether the role has the right."""
        return right in RIGHTS[self.role]


class Users:
    """The stored users of one deployment."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def add(self, name: str, password: str, role: Role, tenant: str = "default") -> None:
        """Adds a user.

        Raises:
            UserError: the name is taken or malformed, the tenant is malformed, or the password is too short or long.
        """
        name = user_name(name)
        if not is_tenant(tenant):
            message = f"{tenant!r} is no tenant: tenants are lower-case letters, digits, - and _"
            raise UserError(message)
        now_ms = self._clock()
        row = {
            "name": name, "tenant": tenant, "role": role.value, "password_hash": _hash_of(password),
            "created_ms": now_ms, "changed_ms": now_ms,
        }  # fmt: skip
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(USERS).values(row))
        except IntegrityError as error:
            message = f"there is a user {name} already; see: stitchline serve users passwd --help"
            raise UserError(message) from error

    def set_password(self, name: str, password: str) -> None:
        """Replaces the password and ends every session of the user.

        Raises:
            UserError: there is no such user, it is an OpenID provider's, or the password is too short or long.
        """
        self._change(name, password_hash=_hash_of(password))

    def set_role(self, name: str, role: Role) -> None:
        """Replaces the role and ends every session of the user.

        Raises:
            UserError: there is no such user, or an OpenID provider decides its role.
        """
        self._change(name, role=role.value)

    def remove(self, name: str) -> None:
        """Deletes the user and every session of the user. Raises UserError if there is no such user."""
        with self._engine.begin() as connection:
            deleted = delete_user(connection, name.casefold())
        _refuse_unknown(name, deleted)

    def find(self, name: str) -> User | None:
        """Returns the user of a name in any case, or None."""
        with self._engine.connect() as connection:
            row = connection.execute(select(USERS).where(USERS.c.name == name.casefold())).one_or_none()
        return None if row is None else user_of(row)

    def all(self) -> list[User]:
        """Returns every user by name."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(USERS).order_by(USERS.c.name)).all()
        return [user_of(row) for row in rows]

    def verified(self, name: str, password: str) -> User | None:
        """Returns the user if the password is right, else None. Takes equally long for unknown names.

        Rehashes the password if it was hashed with weaker parameters than today's.
        """
        if len(password) > MAX_PASSWORD_CHARS:
            return None
        with self._engine.connect() as connection:
            row = connection.execute(select(USERS).where(USERS.c.name == name.casefold())).one_or_none()
        stored = row.password_hash if row is not None and row.password_hash else _NO_USER
        try:
            with _HASHED_AT_ONCE:
                _HASHER.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return None
        if row is None or not row.password_hash:
            return None
        if _HASHER.check_needs_rehash(stored):
            with self._engine.begin() as connection:
                connection.execute(
                    update(USERS).where(USERS.c.name == row.name).values(password_hash=_HASHER.hash(password))
                )
        return user_of(row)

    def _change(self, name: str, **values: str) -> None:
        known = self.find(name)
        if known is not None and known.is_external:
            message = f"{name} is signed in by an OpenID provider, which decides the role: change it there"
            raise UserError(message)
        with self._engine.begin() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.user_name == name.casefold()))
            changed = update(USERS).where(USERS.c.name == name.casefold()).values(changed_ms=self._clock(), **values)
            done = connection.execute(changed)
        _refuse_unknown(name, done.rowcount)


def user_of(row: Row[Any]) -> User:
    """Returns the user of a row with the columns of the table."""
    return User(row.name, row.tenant, Role(row.role), row.changed_ms, is_external=not row.password_hash)


def delete_user(connection: Connection, name: str) -> int:
    """Deletes the user of a stored name with every session and identity. Returns the number of deleted users."""
    connection.execute(delete(SESSIONS).where(SESSIONS.c.user_name == name))
    connection.execute(delete(IDENTITIES).where(IDENTITIES.c.user_name == name))
    return connection.execute(delete(USERS).where(USERS.c.name == name)).rowcount


def user_name(text: str) -> str:
    """Returns a name as it is stored.

    Raises:
        UserError: the text is no name.
    """
    if not 0 < len(text) <= MAX_NAME_CHARS or not text.isprintable() or text != text.strip() or "/" in text:
        message = f"{text!r} is no user name: use 1 to {MAX_NAME_CHARS} printable characters without a slash"
        raise UserError(message)
    return text.casefold()


def _refuse_unknown(name: str, changed: int) -> None:
    if not changed:
        message = f"there is no user {name!r}; list them with: stitchline serve users ls"
        raise UserError(message)


def _hash_of(password: str) -> str:
    """Raises UserError if the password is too short or long, as NIST SP 800-63B advises no rule but length."""
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        message = f"a password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters; a sentence is a good one"
        raise UserError(message)
    return _HASHER.hash(password)
