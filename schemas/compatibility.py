"""Whether two versions of a schema can live on one topic, and the problems in words.

Needs the development dependency ``avro``: it answers offline what a registry would answer, so CI needs no registry.
"""

import json

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from schemas.level import Level


def problems(old: str, new: str, promised: Level) -> list[str]:
    """Why a topic that holds ``old`` cannot take ``new`` (both schema texts); empty if it can."""
    issues = [f"cannot read the old records: {why}" for why in _reading(reader=new, writer=old)]
    if promised is Level.FULL_TRANSITIVE:
        issues += [f"old readers cannot read the new records: {why}" for why in _reading(reader=old, writer=new)]
    return issues


def same_shape(one: str, other: str) -> bool:
    """Whether two schema texts differ in nothing but documentation."""
    return bool(_undocumented(json.loads(one)) == _undocumented(json.loads(other)))


def _reading(*, reader: str, writer: str) -> list[str]:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # avro annotates only in part
    result = checker.get_compatibility(parse(reader), parse(writer))
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    # avro hands out messages and places as two sets, so which belongs to which is lost where there are several; and it
    # adds the root to the places, whatever the fault.
    places = sorted(result.locations - {"/"}) or ["/"]
    return [f"{', '.join(sorted(result.messages))} (at {', '.join(places)})"]


def _undocumented(node: object) -> object:
    if isinstance(node, dict):
        return {key: _undocumented(value) for key, value in node.items() if key != "doc"}
    if isinstance(node, list):
        return [_undocumented(item) for item in node]
    return node
