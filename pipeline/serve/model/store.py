"""Opens the database of the read model: SQLite in the home folder, or PostgreSQL."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from pipeline.errors import OperatorError
from pipeline.serve.model import facts, tables
from pipeline.settings import Settings

FOLDER: Final = "serve"
"""The folder of the database and the audit log in the home folder."""
FILE: Final = "serve.db"
_BUSY_MS: Final = 10_000
_PRAGMAS: Final = (
    "journal_mode = WAL",  # readers see the last commit while the writer writes
    "synchronous = NORMAL",  # a power cut may lose the newest commits, rows and offsets alike, never their agreement
    f"busy_timeout = {_BUSY_MS}",
    "cache_size = -65536",
    "mmap_size = 1073741824",
    "temp_store = MEMORY",
)
_POOL: Final[dict[str, Any]] = {"pool_size": 10, "max_overflow": 40}
"""More connections in all than a process has threads that answer, so that none waits for another."""
_PREPARE_LOCK: Final = 0x57174C48
"""Key of PostgreSQL's lock while tables are created."""


class DatabaseError(OperatorError):
    """The database cannot be opened, or belongs to another deployment or version.

    Operator action: the message states it.
    """


class Store:
    """The database of one deployment. Thread-safe; every process opens its own."""

    def __init__(self, engine: Engine, place: str) -> None:
        self.engine = engine
        self.place = place
        """Where the database is, for messages: a path, or a URL without its password."""
        self._writing = engine.execution_options(stitchline_write=True)
        snapshot = engine.dialect.name == "postgresql"
        self._reading = engine.execution_options(isolation_level="REPEATABLE READ") if snapshot else engine

    @classmethod
    def open(cls, url: str, home: Path) -> Self:
        """Opens the PostgreSQL database of a URL, or the SQLite file in the home folder if the URL is empty.

        Raises:
            DatabaseError: the URL cannot be used.
        """
        if not url:
            home.mkdir(parents=True, exist_ok=True)
            path = home / FILE
            engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False}, **_POOL)
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return cls(engine, str(path))
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            message = "STITCHLINE_DATABASE_URL must look like postgresql://user:password@host:5432/database"
            raise DatabaseError(message) from error
        if parsed.get_backend_name() != "postgresql":
            message = f"STITCHLINE_DATABASE_URL: {parsed.get_backend_name()} is not supported; use postgresql://…"
            raise DatabaseError(message)
        place = parsed.render_as_string(hide_password=True)
        engine = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, **_POOL)
        return cls(engine, place)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose statements all see one committed state."""
        with self._reading.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction that commits at the end, and rolls back on an exception."""
        with self._writing.begin() as connection:
            yield connection

    def prepare(self, prefix: str, *, rebuild: bool = False) -> None:
        """Creates what is missing. Creates the model's tables again if their format is of another version.

        ``rebuild``: a writer is about to rebuild the model, so that another prefix is not refused.

        Raises:
            DatabaseError: the database does not answer, or holds the topics of another prefix.
        """
        try:
            with self.writing() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PREPARE_LOCK})
                tables.ACCESS.create_all(connection)
                if _format_of(connection) != str(tables.FORMAT_VERSION):
                    create_model(connection, prefix)
                if not rebuild:
                    self._check_prefix(facts.fact(connection, facts.PREFIX), prefix)
        except DBAPIError as error:
            message = f"the database {self.place} cannot be used: {error.orig}; see STITCHLINE_DATABASE_URL"
            raise DatabaseError(message) from error

    def _check_prefix(self, stored: str, prefix: str) -> None:
        if stored != prefix:
            message = (
                f"the database {self.place} follows the topics {stored}.…, not {prefix}.…; correct "
                "STITCHLINE_TOPIC_PREFIX, use another database, or run: stitchline serve --rebuild"
            )
            raise DatabaseError(message)

    def close(self) -> None:
        """Closes the connections."""
        self.engine.dispose()


def store_of(settings: Settings) -> Store:
    """Returns the database of the settings.

    Raises:
        DatabaseError: its URL cannot be used.
    """
    return Store.open(settings.database_url.get_secret_value(), settings.home / FOLDER)


def create_model(connection: Connection, prefix: str) -> None:
    """Creates the model's tables empty. Deletes what they hold."""
    tables.MODEL.drop_all(connection)
    tables.MODEL.create_all(connection)
    facts.set_fact(connection, facts.FORMAT, str(tables.FORMAT_VERSION))
    facts.set_fact(connection, facts.PREFIX, prefix)
    facts.set_fact(connection, facts.EPOCH, secrets.token_hex(4))


def _format_of(connection: Connection) -> str:
    """Returns the version of the model's tables; "" if there are none."""
    if not inspect(connection).has_table(tables.facts.name):
        return ""
    return facts.fact(connection, facts.FORMAT)


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy begins them, not where the driver guesses
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A writer that began as a reader could not wait for the lock: SQLite would refuse it at once.
    writes = connection.get_execution_options().get("stitchline_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
