"""Every on-disk key, named once: column families of a partition's database and the meaning of their keys.

A partition's database belongs to one stage and one partition number. ``FORMAT_VERSION`` must be incremented whenever
the meaning of a key or value changes. A database of another version is deleted and restored from its changelog. A
changelog row of another version raises :class:`~pipeline.state.view.RowFormatError`.
"""

FORMAT_VERSION = 2

META = "meta"
"""About the database itself. Of its keys, only ``META_PARTITIONS`` is in the changelog."""
META_POSITION = b"changelog_position"
"""Decimal offset: every changelog record below it is contained in the database."""
META_FORMAT = b"format_version"
META_PARTITIONS = b"partitions"
"""Decimal number of partitions of every topic, for which the state was built."""

ANCHORS = "anchors"
"""INTAKE: ``tenant/identifier`` to the anchor's row: its profile and the links it has already emitted."""
SEEN = "seen"
"""INTAKE: generation (4 bytes, big-endian) + message digest (8 bytes) to an empty value. De-duplicates events."""
SEEN_BLOCKS = "seen_blocks"
"""INTAKE: generation (4 bytes) + first digest of a block to all digests of the block, as the changelog holds them.

Expiring a block deletes its rows in ``SEEN`` with it."""

PROFILES = "profiles"
"""PROFILE: profile id to its row of ledgers and pointers."""
TIMERS = "timers"
"""PROFILE: due time in ms (8 bytes, big-endian) + profile id to an empty value: when to evaluate the profile next."""

HELD = "held"
"""Every stage, with the stream clock: order (see :mod:`pipeline.stream.order`) and offset of a record that waits for
the watermark, to the record."""
HELD_EVENTS = "held_events"
"""INTAKE, with the stream clock: as ``HELD``, to an accepted event."""
WAITING = "waiting"
"""PROFILE, with the stream clock: profile id + order of a record that waits for a ledger on its way, to the record."""
WATERMARKS = "watermarks"
"""Every stage, with the stream clock: a source's name to its watermark."""

MARKS = "marks"
"""Every stage: ``d/`` + digest of an identifier to its mark, and ``s/`` + request to an erasure that is being swept."""

NODES = "nodes"
"""STITCH: ``tenant/identifier`` to its node in the union-find and the links stored with it."""
COUNTERS = "counters"
"""STITCH: ``tenant/`` to the tenant's last sequence number."""

OWNERS = "owners"
"""ROUTE: ``tenant/identifier`` to the representative that owns the customer. Keys hold strong identifiers; a profile
without one is stored under ``tenant/profile id``."""
LEAD_OWNERS = "lead_owners"
"""ROUTE: ``tenant/action id`` to the representative that received the lead."""
TEAMS = "teams"
"""ROUTE: ``tenant/team`` to the leads distributed in the team, per set of available representatives."""
LOADS = "loads"
"""ROUTE: ``tenant/representative`` to the times of the newest leads, for representatives with a capacity."""
