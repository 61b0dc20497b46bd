"""Everything that is held about a person, as one JSON object: profile, links, and each record that names the person."""

import zipfile
from base64 import b64encode
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Decoder, Undecodable
from pipeline.event.instant import format_instant
from pipeline.identity.policy import IdentityPolicy
from pipeline.kafka.reading import Progress
from pipeline.privacy.person import Person
from pipeline.privacy.search import Found, TopicSearch
from pipeline.privacy.tenancy import is_own
from pipeline.profile.view import profile_view
from pipeline.query.identity import StoredIdentity
from pipeline.query.links import link_facts
from pipeline.query.lookup import ProfileLookup
from pipeline.query.quarantine import entry_of
from pipeline.rules.compiled import compiled
from pipeline.rules.model import Rules
from pipeline.settings import Settings
from pipeline.topics import Topic

NOT_AVRO: Final = frozenset({"msgpack", "bytes"})
PROFILE_FILE: Final = "person.json"


class AccessReport:
    """Collects what is held about one person.

    ``own_tenant``: leave out records that may be another tenant's. An operator's report holds them, because both name
    the person.
    """

    def __init__(self, settings: Settings, rules: Rules, *, own_tenant: bool = False) -> None:
        self._settings, self._rules, self._own_tenant = settings, rules, own_tenant
        self._writer = schema_ids(settings.schema_registry_url).writer
        self._decoders: dict[str, Decoder] = {}

    def write(self, person: Person, identity: StoredIdentity, at_ms: int, progress: Progress) -> dict[str, Any]:
        """Returns the report. ``at_ms`` is the time for which scores and windows are read, in ms since 1970.

        On compacted topics only the newest record of each key is held; older ones are there until Kafka compacts.
        """
        search = TopicSearch(self._settings, self._rules)
        found = [record for record in search.records(person, progress) if self._may_see(person, record)]
        records: dict[str, list[dict[str, Any]]] = {}
        for record in found:
            is_held = record.topic.cleanup == "delete" or search.is_newest(record.message)
            if is_held and record.message.value() is not None:
                records.setdefault(record.message.topic() or "", []).append(self._record(record))
        return {
            "tenant": person.tenant,
            "written_at": format_instant(at_ms),
            "identifiers": list(person.identifiers),
            "profile_ids": list(person.profile_ids),
            "profile": self._profile(person, at_ms, progress),
            "links": self._links(person, identity),
            "records": records,
        }

    def _may_see(self, person: Person, found: Found) -> bool:
        return not self._own_tenant or is_own(person, found)

    def _profile(self, person: Person, at_ms: int, progress: Progress) -> dict[str, Any] | None:
        lookup = ProfileLookup(self._settings, self._rules, progress)
        found = lookup.find(person.identifiers[0], person.tenant)
        return None if found is None else profile_view(*found, compiled(self._rules), at_ms)

    def _links(self, person: Person, identity: StoredIdentity) -> list[dict[str, Any]]:
        area = identity.around(person.identifiers, IdentityPolicy(self._rules.identity))
        rejections = {id(rejected.merged_link): rejected for rejected in area.resolution.rejected}
        own = set(person.identifiers)
        return [
            {"a": link.strong, "b": link.weak, **link_facts(link, rejections.get(id(link)))}
            for link in (*area.resolution.accepted, *(rejected.merged_link for rejected in area.resolution.rejected))
            if own & {link.strong, link.weak}
        ]

    def _record(self, found: Found) -> dict[str, Any]:
        message = found.message
        key = message.key() or b""
        return {
            "place": f"{message.partition()}:{message.offset()}",
            "written_at": format_instant(message.timestamp()[1]),
            "key": key.decode(errors="replace"),
            "value": self._value(found.topic, found),
        }

    def _value(self, topic: Topic, found: Found) -> Any:
        value = found.message.value() or b""
        if topic.value == "bytes":
            return {**msgspec.to_builtins(entry_of(found.message)), "bytes": b64encode(value).decode()}
        if found.event is not None:
            return msgspec.to_builtins(found.event)
        try:
            if topic.value in NOT_AVRO:
                return _readable(msgspec.msgpack.decode(value))
            decoder = self._decoders.setdefault(topic.value, Decoder(topic.value, self._writer))
            return _readable(decoder(value))
        except (Undecodable, msgspec.DecodeError):
            return {"bytes": b64encode(value).decode()}


def _readable(value: Any) -> Any:
    """Returns a decoded value with bytes as Base64, so that JSON can hold it."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, dict):
        return {str(_readable(name)): _readable(part) for name, part in value.items()}
    return [_readable(part) for part in value] if isinstance(value, list | tuple) else value


def write_zip(target: Path | BinaryIO, report: dict[str, Any]) -> None:
    """Writes the report as a ZIP file: one JSON file of the person, and one of each topic."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        rest = {name: value for name, value in report.items() if name != "records"}
        archive.writestr(PROFILE_FILE, _json(rest))
        for topic, records in report["records"].items():
            archive.writestr(f"{topic}.json", _json(records))


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Writes the report as one JSON file."""
    path.write_bytes(_json(report))


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)
