"""Every on-disk key, named once: column families of a partition's database and the meaning of their keys.

A partition's database belongs to one stage and one partition number. A changed meaning of a key or value raises
``FORMAT_VERSION``; a database of another version is thrown away and restored from its changelog. A changelog of another
version is refused by :class:`~pipeline.state.view.RowFormatError`.
"""

FORMAT_VERSION = 2

META = "meta"
"""``META_POSITION`` and ``META_FORMAT`` only; never in the changelog."""
META_POSITION = b"changelog_position"
"""Decimal offset: every changelog record below it is contained in the database."""
META_FORMAT = b"format_version"

ANCHORS = "anchors"
"""INTAKE: ``tenant/identifier`` to what is known of an anchor: its profile and the links it has shown."""
SEEN = "seen"
"""INTAKE: generation (4 bytes, big-endian) + message digest (8 bytes) to nothing: de-duplication."""
SEEN_BLOCKS = "seen_blocks"
"""INTAKE: generation (4 bytes) + first digest: which blocks of digests the changelog holds, to be deleted with it."""

PROFILES = "profiles"
"""PROFILE: profile id to its row of ledgers and pointers."""
TIMERS = "timers"
"""PROFILE: due time in ms (8 bytes, big-endian) + profile id to nothing: whom to wake when."""

NODES = "nodes"
"""STITCH: ``tenant/identifier`` to its place in the union-find union-find and the links kept with it."""
COUNTERS = "counters"
"""STITCH: ``tenant/`` to the tenant's last sequence number."""

OWNERS = "owners"
"""ROUTE: ``tenant/identifier`` (strong ones; ``tenant/profile id`` of a profile without) to whom the customer was
given."""
LEAD_OWNERS = "lead_owners"
"""ROUTE: ``tenant/action id`` to the representative who got that lead."""
TEAMS = "teams"
"""ROUTE: ``tenant/team`` to what has been shared out in it, by who was there."""
LOADS = "loads"
"""ROUTE: ``tenant/representative`` to when they got their newest leads, for those with a capacity."""
