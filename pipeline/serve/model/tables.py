"""The tables of the read model, for SQLite and PostgreSQL.

``MODEL`` is a fold of the topics: it can be deleted and rebuilt. ``ACCESS`` is on no topic, and a rebuild keeps it.
Ids are compared byte by byte on both databases, so that ranges of prefixes and orders are the same.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)
from sqlalchemy.types import TypeEngine

FORMAT_VERSION: Final = 2
"""Rises when a column's meaning changes. A database of another version is rebuilt."""

TEXT: Final[TypeEngine[str]] = String().with_variant(String(collation="C"), "postgresql")
"""PostgreSQL's default collation depends on the locale, and its indexes cannot serve prefixes."""
ROW_ID: Final[TypeEngine[int]] = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows only in a column of type INTEGER."""

MODEL: Final = MetaData()
ACCESS: Final = MetaData()

offsets = Table(
    "offsets", MODEL,
    Column("topic", TEXT, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)  # fmt: skip
"""The next offset of each followed partition. It commits with the rows of the records before it."""

facts = Table(
    "facts", MODEL,
    Column("name", TEXT, primary_key=True),
    Column("value", TEXT, nullable=False),
)  # fmt: skip
"""About the database itself: see :mod:`pipeline.serve.model.store`."""

profiles = Table(
    "profiles", MODEL,
    Column("profile_id", TEXT, primary_key=True),
    Column("tenant", TEXT, nullable=False),
    Column("status", TEXT, nullable=False),
    Column("merged_into", TEXT, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("top_score", Float, nullable=False),
    Column("indexed", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("profiles_by_score", "tenant", "status", "top_score", "profile_id"),
    Index("profiles_by_time", "tenant", "status", "last_seen_ms", "profile_id"),
)  # fmt: skip
"""The newest profile update of each profile. ``body`` is the JSON text that the API sends. ``indexed`` is what
``members``, ``terms`` and ``accounts`` hold of the profile, so that they are written only when it changes."""

identifiers = Table(
    "identifiers", MODEL,
    Column("tenant", TEXT, primary_key=True),
    Column("identifier", TEXT, primary_key=True),
    Column("profile_id", TEXT, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("identifiers_by_profile", "profile_id"),
)  # fmt: skip
"""The newest assignment of each identifier. An identifier without one is a profile of its own."""

profile_states = Table(
    "profile_states", MODEL,
    Column("profile_id", TEXT, primary_key=True),
    Column("tenant", TEXT, nullable=False),
    Column("is_current", Boolean, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Index("profile_states_by_tenant", "tenant", "is_current", "profile_id"),
)  # fmt: skip
"""PROFILE's row of each profile, as on its changelog: ledgers with timeline, journeys and points of each rule."""

nodes = Table(
    "nodes", MODEL,
    Column("tenant", TEXT, primary_key=True),
    Column("identifier", TEXT, primary_key=True),
    Column("own_id", TEXT, nullable=False),
    Column("apart_id", TEXT, nullable=False),
    Column("node", LargeBinary, nullable=False),
    Index("nodes_by_own_id", "own_id"),
    Index("nodes_by_apart_id", "apart_id"),
)  # fmt: skip
"""STITCH's row of each linked identifier. ``own_id`` and ``apart_id`` are the profile ids it can give its name to."""

rejections = Table(
    "rejections", MODEL,
    Column("tenant", TEXT, primary_key=True),
    Column("strong", TEXT, primary_key=True),
    Column("weak", TEXT, primary_key=True),
    Index("rejections_by_weak", "tenant", "weak"),
)  # fmt: skip
"""Rejected links by their stronger end; the node of the weaker end stores the link."""

identity_changes = Table(
    "identity_changes", MODEL,
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("tenant", TEXT, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("change", TEXT, nullable=False),
    Column("profile_id", TEXT, nullable=False),
    Column("other_profile_id", TEXT, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("identity_changes_by_profile", "tenant", "profile_id", "seq"),
    Index("identity_changes_by_other", "tenant", "other_profile_id", "seq"),
    Index("identity_changes_by_seq", "tenant", "seq"),
)  # fmt: skip
"""Every identity change."""

members = Table(
    "members", MODEL,
    Column("tenant", TEXT, primary_key=True),
    Column("segment", TEXT, primary_key=True),
    Column("profile_id", TEXT, primary_key=True),
    Index("members_by_profile", "profile_id"),
)  # fmt: skip
"""The members of each segment, as the newest profile updates list them."""

segment_changes = Table(
    "segment_changes", MODEL,
    Column("event_id", TEXT, primary_key=True),
    Column("tenant", TEXT, nullable=False),
    Column("profile_id", TEXT, nullable=False),
    Column("segment", TEXT, nullable=False),
    Column("change", TEXT, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Index("segment_changes_by_profile", "tenant", "profile_id", "timestamp_ms"),
    Index("segment_changes_by_segment", "tenant", "segment", "timestamp_ms"),
)  # fmt: skip
"""Every entry and exit."""

actions = Table(
    "actions", MODEL,
    Column("tenant", TEXT, primary_key=True),
    Column("action_id", TEXT, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)  # fmt: skip
"""Every revision of every CRM action."""

leads = Table(
    "leads", MODEL,
    Column("tenant", TEXT, primary_key=True),
    Column("action_id", TEXT, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("profile_id", TEXT, nullable=False),
    Column("trigger", TEXT, nullable=False),
    Column("owner", TEXT, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("score", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("leads_by_time", "tenant", "timestamp_ms", "action_id"),
    Index("leads_by_profile", "tenant", "profile_id", "timestamp_ms"),
    Index("leads_by_owner", "tenant", "owner", "timestamp_ms"),
)  # fmt: skip
"""The highest revision of each CRM action, which is in force."""

deliveries = Table(
    "deliveries", MODEL,
    Column("tenant", TEXT, primary_key=True),
    Column("action_id", TEXT, primary_key=True),
    Column("sink", TEXT, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)  # fmt: skip
"""The CRM ledger: what each CRM holds for an action."""

quarantine = Table(
    "quarantine", MODEL,
    Column("topic", TEXT, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("quarantined_ms", BigInteger, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("stage", TEXT, nullable=False),
    Column("item", TEXT, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("quarantine_by_time", "quarantined_ms"),
    Index("quarantine_by_item", "item"),
    Index("quarantine_by_reason", "reason", "quarantined_ms"),
)  # fmt: skip
"""Facts of each quarantined record, without its bytes."""

terms = Table(
    "terms", MODEL,
    Column("tenant", TEXT, primary_key=True),
    Column("kind", TEXT, primary_key=True),
    Column("term", TEXT, primary_key=True),
    Column("profile_id", TEXT, primary_key=True),
    Index("terms_by_profile", "profile_id"),
)  # fmt: skip
"""What search finds a profile by; see :mod:`pipeline.serve.model.terms`."""

accounts = Table(
    "accounts", MODEL,
    Column("tenant", TEXT, primary_key=True),
    Column("account_id", TEXT, primary_key=True),
    Column("profile_id", TEXT, primary_key=True),
    Index("accounts_by_profile", "profile_id"),
)  # fmt: skip
"""The profiles with an event of an account."""

erasures = Table(
    "erasures", MODEL,
    Column("tenant", TEXT, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("erased_seq", BigInteger, nullable=False),
    Column("erased_ms", BigInteger, nullable=False),
)  # fmt: skip
"""Erased identifiers by digest: see :mod:`pipeline.serve.model.kinds.markings`."""

feed = Table(
    "feed", MODEL,
    Column("number", ROW_ID, primary_key=True, autoincrement=True),
    Column("tenant", TEXT, nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("profile_id", TEXT, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)  # fmt: skip
"""The newest changes in the order of their commits, without personal data. Old rows are deleted."""

privacy_requests = Table(
    "privacy_requests", ACCESS,
    Column("tenant", TEXT, primary_key=True),
    Column("request", TEXT, primary_key=True),
    Column("kind", TEXT, nullable=False),
    Column("actor", TEXT, nullable=False),
    Column("sent_ms", BigInteger, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
)  # fmt: skip
"""Requests about persons that this server sent. ``receipt`` is JSON without identifiers; empty until the topics of a
complete erasure were searched."""

api_keys = Table(
    "api_keys", ACCESS,
    Column("key_id", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("hash", TEXT, nullable=False, unique=True),
    Column("tenant", TEXT, nullable=False),
    Column("scopes", TEXT, nullable=False),
    Column("requests_per_minute", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger, nullable=False),
)  # fmt: skip
"""API keys by the hash of their secret; ``revoked_ms`` is 0 while the key is valid."""
