"""Users, sessions and the limit on attempts, on SQLite and PostgreSQL, with a clock that the test moves."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from pipeline.serve.model.store import Store
from pipeline.serve.signin.attempts import PER_ADDRESS, PER_NAME, PER_PAIR, WINDOW_MS, Attempts
from pipeline.serve.signin.roles import RIGHTS, Right, Role
from pipeline.serve.signin.sessions import IDLE_MS, LIFETIME_MS, Sessions
from pipeline.serve.signin.tables import create_tables
from pipeline.serve.signin.users import User, UserError, Users
from tests.support.databases import Database

PASSWORD = "a quiet brown horse"


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    store = Store.open(database.url, database.home)
    create_tables(store.engine)
    yield store.engine
    store.close()


@pytest.fixture
def users(engine: Engine, time: Time) -> Users:
    users = Users(engine, time)
    users.add("Ann@Example.com", PASSWORD, Role.MARKETER)
    return users


@pytest.fixture
def sessions(engine: Engine, time: Time) -> Sessions:
    return Sessions(engine, time)


def stored(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(query)).scalars())


def test_a_password_is_verified_for_the_name_in_any_case(users: Users) -> None:
    assert users.verified("ann@example.COM", PASSWORD) == users.find("ann@example.com")
    assert users.verified("ann@example.com", PASSWORD + "!") is None
    assert users.verified("bob", PASSWORD) is None
    assert users.verified("ann@example.com", PASSWORD * 100) is None


def test_a_password_is_stored_as_an_argon2id_hash_only(users: Users, engine: Engine) -> None:
    (hashed,) = stored(engine, "select password_hash from console_users")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PASSWORD not in hashed


@pytest.mark.parametrize(
    ("name", "password", "tenant", "says"),
    [
        ("", PASSWORD, "default", "no user name"),
        (" ann", PASSWORD, "default", "no user name"),
        ("a/b", PASSWORD, "default", "no user name"),
        ("a\nb", PASSWORD, "default", "no user name"),
        ("a" * 65, PASSWORD, "default", "no user name"),
        ("bob", "short", "default", "12 to 256"),
        ("bob", "x" * 257, "default", "12 to 256"),
        ("bob", PASSWORD, "No Tenant", "no tenant"),
        ("ANN@example.com", PASSWORD, "default", "already"),
    ],
)
def test_a_user_that_cannot_be_stored_is_refused(
    users: Users, name: str, password: str, tenant: str, says: str
) -> None:
    with pytest.raises(UserError, match=says):
        users.add(name, password, Role.VIEWER, tenant)
    assert [user.name for user in users.all()] == ["ann@example.com"]


def test_a_session_is_found_by_its_token_which_is_not_stored(users: Users, sessions: Sessions, engine: Engine) -> None:
    token = sessions.open(_ann(users))
    session = sessions.find(token)
    assert session is not None
    assert session.user == _ann(users)
    assert stored(engine, "select token_hash from console_sessions") == [hashlib.sha256(token.encode()).hexdigest()]
    assert sessions.find(token + "x") is None
    assert sessions.find("") is None


def test_a_session_ends_after_an_hour_without_use(users: Users, sessions: Sessions, time: Time) -> None:
    token = sessions.open(_ann(users))
    time.now_ms += IDLE_MS - 1
    assert sessions.find(token) is not None
    time.now_ms += IDLE_MS - 1
    assert sessions.find(token) is not None
    time.now_ms += IDLE_MS
    assert sessions.find(token) is None


def test_a_session_ends_after_its_lifetime_however_much_it_is_used(
    users: Users, sessions: Sessions, time: Time
) -> None:
    token = sessions.open(_ann(users))
    for _ in range(LIFETIME_MS // (IDLE_MS // 2) - 1):
        time.now_ms += IDLE_MS // 2
        assert sessions.find(token) is not None
    time.now_ms += IDLE_MS // 2
    assert sessions.find(token) is None


def test_a_session_ends_when_its_user_is_changed_or_removed(users: Users, sessions: Sessions, time: Time) -> None:
    for change in (
        lambda: users.set_password("ann@example.com", PASSWORD + " again"),
        lambda: users.set_role("ann@example.com", Role.VIEWER),
        lambda: users.remove("ann@example.com"),
    ):
        token = sessions.open(_ann(users))
        assert sessions.find(token) is not None
        time.now_ms += 1
        change()
        assert sessions.find(token) is None


def test_a_session_that_was_closed_is_gone_and_old_ones_are_deleted(
    users: Users, sessions: Sessions, engine: Engine, time: Time
) -> None:
    token = sessions.open(_ann(users))
    session = sessions.find(token)
    assert session is not None
    sessions.close(session)
    assert sessions.find(token) is None
    sessions.open(_ann(users))
    time.now_ms += LIFETIME_MS
    sessions.open(_ann(users))
    assert stored(engine, "select count(*) from console_sessions") == [1]


def test_a_session_accepts_its_own_form_token_only(users: Users, sessions: Sessions) -> None:
    one, other = (sessions.find(sessions.open(_ann(users))) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.accepts(one.csrf_token)
    assert not one.accepts(other.csrf_token)
    assert not one.accepts("")
    assert not one.accepts("\udcff")


def test_attempts_on_one_name_from_one_address_are_limited_and_come_back(engine: Engine, time: Time) -> None:
    attempts = Attempts(engine, time)
    for _ in range(PER_PAIR):
        assert attempts.admit("ann", "10.0.0.1").wait_seconds == 0
        time.now_ms += 1000
    wait_seconds = attempts.admit("ANN", "10.0.0.1").wait_seconds
    assert 0 < wait_seconds <= WINDOW_MS // 1000
    assert attempts.admit("ann", "10.0.0.2").wait_seconds == 0
    assert attempts.admit("bob", "10.0.0.1").wait_seconds == 0
    time.now_ms += wait_seconds * 1000
    assert attempts.admit("ann", "10.0.0.1").wait_seconds == 0
    assert attempts.admit("ann", "10.0.0.1").wait_seconds > 0


def test_attempts_are_limited_per_address_and_per_name_too(engine: Engine, time: Time) -> None:
    attempts = Attempts(engine, time)
    admitted = [attempts.admit(f"user{number}", "10.0.0.1").wait_seconds == 0 for number in range(PER_ADDRESS + 5)]
    assert sum(admitted) == PER_ADDRESS
    admitted = [attempts.admit("ann", f"10.1.0.{number}").wait_seconds == 0 for number in range(PER_NAME + 5)]
    assert sum(admitted) == PER_NAME


def test_a_success_counts_nowhere_and_forgets_the_failures_of_its_name_and_address(engine: Engine, time: Time) -> None:
    attempts = Attempts(engine, time)
    for _ in range(PER_ADDRESS * 2):
        attempts.succeeded(attempts.admit("ann", "10.0.0.1"), "ann", "10.0.0.1")
    assert stored(engine, "select count(*) from console_attempts") == [0]
    for _ in range(PER_PAIR - 1):
        assert attempts.admit("ann", "10.0.0.1").wait_seconds == 0
    attempts.succeeded(attempts.admit("ann", "10.0.0.1"), "ann", "10.0.0.1")
    assert attempts.admit("ann", "10.0.0.1").wait_seconds == 0


def test_every_role_reads_and_only_an_administrator_administers() -> None:
    assert set(RIGHTS) == set(Role)
    assert all(Right.READ in rights for rights in RIGHTS.values())
    assert [role for role, rights in RIGHTS.items() if Right.ADMIN in rights] == [Role.ADMIN]
    assert Right.PERSONAL not in RIGHTS[Role.VIEWER] | RIGHTS[Role.OPERATOR]


def _ann(users: Users) -> User:
    user = users.find("ann@example.com")
    if user is None:
        users.add("ann@example.com", PASSWORD, Role.MARKETER)
        user = users.find("ann@example.com")
    assert user is not None
    return user
