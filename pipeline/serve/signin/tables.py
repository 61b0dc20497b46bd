"""The tables of sign-in. ``create_tables`` adds those that are missing; the read model's rebuild leaves them alone."""

from typing import Final

from sqlalchemy import BigInteger, Column, Engine, Index, MetaData, String, Table

METADATA: Final = MetaData()

USERS: Final = Table(
    "console_users",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(256), nullable=False),  # argon2id with its parameters and salt; "" with OIDC
    Column("created_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
)
SESSIONS: Final = Table(
    "console_sessions",
    METADATA,
    Column("token_hash", String(64), primary_key=True),  # SHA-256: a copy of the database opens no session
    Column("user_name", String(64), nullable=False),
    Column("csrf_token", String(64), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=False),
    Index("console_sessions_user", "user_name"),
)
IDENTITIES: Final = Table(
    "console_identities",
    METADATA,
    Column("issuer", String(255), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("user_name", String(64), nullable=False, unique=True),
)
ATTEMPTS: Final = Table(
    "console_attempts",
    METADATA,
    Column("key", String(160), nullable=False),
    Column("attempt", String(16), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index("console_attempts_key", "key", "at_ms"),
)


def create_tables(engine: Engine) -> None:
    """Creates the tables that do not exist."""
    METADATA.create_all(engine)
