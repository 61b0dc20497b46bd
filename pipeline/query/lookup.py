"""Looks up the current profile of an identifier or profile id that an operator types."""

from typing import Final

import msgspec

from pipeline.event.identifier import key_of
from pipeline.identity.messages import Assignment
from pipeline.identity.profile_id import profile_id
from pipeline.kafka.partitioner import partition_of
from pipeline.kafka.reading import Progress, partitions_of
from pipeline.kafka.snapshot import read_compacted
from pipeline.profile.row import ProfileRow
from pipeline.query.naming import Naming, is_profile_id
from pipeline.query.profiles import current_profile, decode_row, row_key
from pipeline.rules.model import Rules
from pipeline.settings import Settings
from pipeline.topics import ASSIGNMENTS, CHANGELOGS, StageName, Topic


class ProfileLookup:
    """Reads one partition per look-up: the one that holds the key."""

    def __init__(self, settings: Settings, rules: Rules, progress: Progress) -> None:
        self._settings, self._progress = settings, progress
        self._naming = Naming(rules)

    def find(self, text: str, tenant: str) -> tuple[str, ProfileRow] | None:
        """Returns id and row of the current profile of ``type:value`` or of a profile id, current or former.

        Returns None if there is no such profile.

        Raises:
            NotAnIdentifierError: the text is neither an identifier nor a profile id.
            MissingTopicError: the topics do not exist: no worker has run yet.
            confluent_kafka.KafkaException: the broker did not answer or refused.
        """
        return current_profile(self.profile_id_of(text, tenant), self.row)

    def profile_id_of(self, text: str, tenant: str) -> str:
        """Returns the profile id that an identifier is assigned to, or that it founds if it has no assignment.

        Returns a profile id unchanged.

        Raises:
            NotAnIdentifierError: the text is neither an identifier nor a profile id.
        """
        if is_profile_id(text.lower()):
            return text.lower()
        ident = self._naming.identifier(text)
        value = self._read(ASSIGNMENTS, key_of(tenant, ident), key_of(tenant, ident).encode())
        return profile_id(tenant, ident) if value is None else _ASSIGNMENT(value).profile_id

    def row(self, profile_id: str) -> ProfileRow | None:
        """Returns the newest committed row of a profile id, or None."""
        value = self._read(CHANGELOGS[StageName.PROFILE], profile_id, row_key(profile_id))
        return None if value is None else decode_row(value)

    def _read(self, topic: Topic, placed_by: str, key: bytes) -> bytes | None:
        """Returns a key's newest value, from the partition that ``placed_by`` hashes to."""
        kafka, name = self._settings.kafka(), topic.of(self._settings.topic_prefix)
        partition = partition_of(placed_by, partitions_of(kafka, name))
        snapshot = read_compacted(kafka, name, [partition], wanted=key.__eq__, progress=self._progress)
        return snapshot.rows.get(key)


_ASSIGNMENT: Final = msgspec.msgpack.Decoder(Assignment).decode
