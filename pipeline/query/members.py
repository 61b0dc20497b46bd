"""Members of segments, from the stored profiles."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from pipeline.profile.fold import contact_of, identifier_names
from pipeline.profile.row import ProfileRow
from pipeline.segment.segments import Segments

CONTACT: Final = ("email", "phone", "firstName", "lastName", "name", "company")
COLUMNS: Final = ("profile_id", "tenant", "identifiers", *CONTACT)
"""Columns of every format. ``identifiers`` is a list of ``type:value``; in CSV it is JSON text. An unknown value is
null; in CSV it is empty."""


def member_of(profile_id: str, row: ProfileRow) -> dict[str, Any]:
    """Returns a member's values by column."""
    ledgers = row.ledgers()
    contact = contact_of(ledgers)
    member = {"profile_id": profile_id, "tenant": row.tenant, "identifiers": identifier_names(ledgers)}
    return member | {field: contact.get(field) for field in CONTACT}


def current_rows(rows: Iterable[tuple[str, ProfileRow]], step: Callable[[], None]) -> Iterator[tuple[str, ProfileRow]]:
    """Yields the rows of current profiles. Calls ``step`` after every row, also after those of merged profiles."""
    for profile_id, row in rows:
        if row.anchors:
            yield profile_id, row
        step()


def members(
    rows: Iterable[tuple[str, ProfileRow]], segments: Segments, name: str, as_of_ms: int
) -> Iterator[dict[str, Any]]:
    """Yields the members of a segment at ``as_of_ms``. A profile is never evaluated before its newest event."""
    for profile_id, row in rows:
        if segments.holds(name, row.ledgers(), max(as_of_ms, row.latest_ms())):
            yield member_of(profile_id, row)


class Census(msgspec.Struct):
    """The number of members of each segment among all profiles, and a sample of them."""

    profiles: int
    counts: dict[str, int]
    samples: dict[str, list[dict[str, Any]]]


def census(
    rows: Iterable[tuple[str, ProfileRow]], segments: Segments, names: Iterable[str], as_of_ms: int, sample: int
) -> Census:
    """Counts the members of segments and keeps the first ``sample`` of each.

    Rows come in the order of profile ids, which are hashes, so the first members are a random and repeatable sample.
    """
    counted = Census(0, {}, {})
    for name in names:
        counted.counts[name], counted.samples[name] = 0, []
    mask = segments.mask_of(counted.counts)
    for profile_id, row in rows:
        counted.profiles += 1
        segment_states = segments.evaluate(row.ledgers(), max(as_of_ms, row.latest_ms()), mask)
        for name, (is_member, _, _) in segment_states.items():
            if is_member:
                counted.counts[name] += 1
                if len(counted.samples[name]) < sample:
                    counted.samples[name].append(member_of(profile_id, row))
    return counted
