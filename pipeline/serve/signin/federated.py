"""Users that an OpenID provider signs in. The provider decides their role; they have no password here.

A person is recognised by issuer and subject, never by a name or an address, which a provider may give to another person
later. The name is that of the first sign-in.
"""

from sqlalchemy import Connection, Engine, and_, delete, insert, select, update

from pipeline.clock import Clock
from pipeline.serve.signin.roles import Role
from pipeline.serve.signin.tables import IDENTITIES, SESSIONS, USERS
from pipeline.serve.signin.users import User, UserError, delete_user, user_name, user_of


class FederatedUsers:
    """The stored users of providers. Thread-safe."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def signed_in(self, issuer: str, subject: str, name: str, role: Role, tenant: str) -> User:
        """Returns the user of an identity, added at the first sign-in. Another role ends the user's other sessions.

        Raises:
            UserError: the name is malformed, or belongs to another user.
        """
        with self._engine.begin() as connection:
            known = self._known(connection, issuer, subject)
            if known is None:
                return self._add(connection, (issuer, subject), user_name(name), role, tenant)
            if (known.role, known.tenant) == (role, tenant):
                return known
            changed = known._replace(role=role, tenant=tenant, changed_ms=self._clock())
            values = {"role": role.value, "tenant": tenant, "changed_ms": changed.changed_ms}
            connection.execute(update(USERS).where(USERS.c.name == known.name).values(**values))
            connection.execute(delete(SESSIONS).where(SESSIONS.c.user_name == known.name))
            return changed

    def remove(self, issuer: str, subject: str) -> None:
        """Deletes the user of an identity with every session, if there is one."""
        with self._engine.begin() as connection:
            known = self._known(connection, issuer, subject)
            if known is not None:
                delete_user(connection, known.name)

    def _known(self, connection: Connection, issuer: str, subject: str) -> User | None:
        joined = IDENTITIES.join(USERS, IDENTITIES.c.user_name == USERS.c.name)
        is_it = and_(IDENTITIES.c.issuer == issuer, IDENTITIES.c.subject == subject)
        row = connection.execute(select(USERS).select_from(joined).where(is_it)).one_or_none()
        return None if row is None else user_of(row)

    def _add(self, connection: Connection, identity: tuple[str, str], name: str, role: Role, tenant: str) -> User:
        if connection.execute(select(USERS.c.name).where(USERS.c.name == name)).one_or_none() is not None:
            message = f"the name {name} belongs to another user here; an administrator has to remove that user first"
            raise UserError(message)
        now_ms = self._clock()
        row = {
            "name": name, "tenant": tenant, "role": role.value, "password_hash": "", "created_ms": now_ms,
            "changed_ms": now_ms,
        }  # fmt: skip
        connection.execute(insert(USERS).values(row))
        issuer, subject = identity
        connection.execute(insert(IDENTITIES).values(issuer=issuer, subject=subject, user_name=name))
        return User(name, tenant, role, now_ms, is_external=True)
