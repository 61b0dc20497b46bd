"""The readable views of profiles, from PROFILE's rows in Kafka's changelog, in a simulation or in a test.

``profile show``, ``profile export`` and ``simulate`` all use these functions, so their outputs are comparable.
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
"""An ``as_of_ms`` that reads each profile at its newest event, because no profile is read before its newest event."""

_DECODE: Final = row_decoder(layout.PROFILES, ProfileRow)


def profile_snapshot(settings: Settings, progress: Progress) -> Snapshot:
    """Reads the newest committed record of every row of PROFILE.

    Raises:
        MissingTopicError: the topics do not exist: no worker has run yet.
        confluent_kafka.KafkaException: the broker did not answer or refused.
    """
    kafka, topic = settings.kafka(), CHANGELOGS[StageName.PROFILE].of(settings.topic_prefix)
    return read_compacted(kafka, topic, range(partitions_of(kafka, topic)), progress=progress)


def export_profiles(
    rows: Iterable[tuple[str, ProfileRow]], rules: CompiledRules, as_of_ms: int
) -> Iterator[dict[str, Any]]:
    """Yields the readable view of every current profile. Omits profiles merged into others.

    A pure function of the rows' touches, the rules and ``as_of_ms`` (milliseconds since the epoch, or :data:`LATEST`).

    Raises:
        ValueError: the profile ids of ``rows`` do not rise strictly. In any other order, equal profiles could give
            different exports.
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
    """Yields the rows of a changelog's newest records in the order of profile ids, decoding one at a time."""
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
    """Returns the changelog key of a profile's row."""
    return changelog_key(Change(layout.PROFILES, profile_id.encode(), None))


def decode_row(value: bytes) -> ProfileRow:
    """Returns the row of a changelog record.

    Raises:
        RowFormatError: the value is not a row, or a row of another version.
    """
    return _DECODE(value)


def current_profile(profile_id: str, find: Callable[[str], ProfileRow | None]) -> tuple[str, ProfileRow] | None:
    """Returns id and row of the profile that an id stands for now, following every merge since.

    Returns None if there never was such a profile, or if its ledgers are on their way to a profile without a row yet.
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
