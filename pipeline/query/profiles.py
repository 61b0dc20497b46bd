"""Profiles as everyone reads them, from the rows of PROFILE: in Kafka's changelog, in a simulation, in a test.

``profile show``, ``profile export`` and ``simulate`` go through these functions, so what they print can be compared.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from pipeline.kafka.reading import Progress, partitions_of
from pipeline.kafka.snapshot import Snapshot, read_compacted
from pipeline.profile.compiled_rules import CompiledRules
from pipeline.profile.row import ProfileRow
from pipeline.profile.view import profile_view
from pipeline.settings import Settings
from pipeline.state import layout
from pipeline.state.partition import change_of, changelog_key
from pipeline.state.store import Change
from pipeline.state.view import row_decoder
from pipeline.topics import CHANGELOGS, StageName

LATEST: Final = 0
"""An ``as_of_ms``: every profile at its own newest event, for a profile is read at that at the earliest."""

_DECODE: Final = row_decoder(layout.PROFILES, ProfileRow)


def profile_snapshot(settings: Settings, progress: Progress) -> Snapshot:
    """The newest committed record of every row of PROFILE.

    Raises:
        MissingTopicError: no worker has run here yet.
        confluent_kafka.KafkaException: the broker did not answer or refused.
    """
    kafka, topic = settings.kafka(), CHANGELOGS[StageName.PROFILE].of(settings.topic_prefix)
    return read_compacted(kafka, topic, range(partitions_of(kafka, topic)), progress=progress)


def export_profiles(
    rows: Iterable[tuple[str, ProfileRow]], rules: CompiledRules, as_of_ms: int
) -> Iterator[dict[str, Any]]:
    """The readable view of every current profile; what was merged into another is left out.

    A pure function of the rows' touches, rules and ``as_of_ms`` (:data:`LATEST`, or milliseconds since the epoch).

    Raises:
        ValueError: ``rows`` are not in the strict order of their profile ids; equal exports could not equal then.
    """
    before = ""
    for profile_id, row in rows:
        if profile_id <= before:
            message = f"profiles out of order: {profile_id} after {before}"
            raise ValueError(message)
        before = profile_id
        if row.anchors:
            yield profile_view(profile_id, row, rules, as_of_ms)


def profile_rows(changelog: Mapping[bytes, bytes]) -> Iterator[tuple[str, ProfileRow]]:
    """The rows of a changelog's newest records, in the order of profile ids; each is decoded when its turn comes."""
    for key in sorted(changelog):
        change = change_of(key, changelog[key])
        if change.family == layout.PROFILES and change.value is not None:
            yield change.key.decode(), _DECODE(change.value)


def decided_by_others(row: ProfileRow, rules: CompiledRules) -> bool:
    """Whether the workers last decided about the profile by other rules than these."""
    return bool(row.anchors) and row.schedule.rules_fingerprint not in {0, rules.fingerprint}


class RulesWatch:
    """Counts, among rows that pass by, those that workers decided by other rules."""

    def __init__(self, rules: CompiledRules) -> None:
        self._rules = rules
        self.others = 0

    def watch(self, rows: Iterable[tuple[str, ProfileRow]]) -> Iterator[tuple[str, ProfileRow]]:
        """The rows, unchanged."""
        for profile_id, row in rows:
            self.others += decided_by_others(row, self._rules)
            yield profile_id, row


def row_key(profile_id: str) -> bytes:
    """The changelog key of a profile's row."""
    return changelog_key(Change(layout.PROFILES, profile_id.encode(), None))


def decode_row(value: bytes) -> ProfileRow:
    """The row of a changelog record.

    Raises:
        RowFormatError: it is not one, or one of another version.
    """
    return _DECODE(value)


def current_profile(profile_id: str, find: Callable[[str], ProfileRow | None]) -> tuple[str, ProfileRow] | None:
    """The profile that an id stands for now: itself, or whoever took over its ledgers, along every merge since.

    None where the id was never a profile's, or its ledgers are on their way to a profile that is not there yet.
    """
    seen: set[str] = set()
    while profile_id and profile_id not in seen:
        seen.add(profile_id)
        row = find(profile_id)
        if row is None:
            return None
        if row.anchors:
            return profile_id, row
        profile_id = row.current_id(profile_id)
    return None
