"""Checks whether two versions of a schema can share a topic.

Uses the development dependency ``avro``, which applies a registry's rules offline, so CI needs no registry.
"""

import json

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from schemas.level import Level


def problems(old: str, new: str, promised: Level) -> list[str]:
    """Returns why a topic with ``old`` records cannot take ``new`` ones (both are schema texts); empty if it can."""
    issues = [f"cannot read the old records: {why}" for why in _reading(reader=new, writer=old)]
    if promised is Level.FULL_TRANSITIVE:
        issues += [f"old readers cannot read the new records: {why}" for why in _reading(reader=old, writer=new)]
    return issues


def same_shape(one: str, other: str) -> bool:
    """Returns whether two schema texts differ in nothing but documentation."""
    return bool(_undocumented(json.loads(one)) == _undocumented(json.loads(other)))


def _reading(*, reader: str, writer: str) -> list[str]:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # avro annotates only in part
    result = checker.get_compatibility(parse(reader), parse(writer))
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    # avro returns messages and places as two separate sets, so the pairing of several is lost. It always adds the root
    # to the places.
    places = sorted(result.locations - {"/"}) or ["/"]
    return [f"{', '.join(sorted(result.messages))} (at {', '.join(places)})"]


def _undocumented(node: object) -> object:
    if isinstance(node, dict):
        return {key: _undocumented(value) for key, value in node.items() if key != "doc"}
    if isinstance(node, list):
        return [_undocumented(item) for item in node]
    return node
