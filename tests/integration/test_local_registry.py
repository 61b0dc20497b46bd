"""The schema registry speaks the Confluent API, to this machine alone."""

import json
from urllib.request import Request, urlopen

from pipeline.local.registry import LocalRegistry
from tests.support.waiting import deadline_seconds

SCHEMA = json.dumps({"type": "record", "name": "Lead", "fields": [{"name": "score", "type": "long"}]})


def _ask(url: str, body: dict[str, str] | None = None) -> object:
    data = json.dumps(body).encode() if body else None
    request = Request(url, data, {"Content-Type": "application/vnd.schemaregistry.v1+json"})
    with urlopen(request, timeout=deadline_seconds()) as reply:
        return json.load(reply)


def test_a_schema_registered_under_a_subject_is_found_by_its_id(registry: LocalRegistry) -> None:
    registered = _ask(f"{registry.url}/subjects/leads-value/versions", {"schema": SCHEMA})
    assert isinstance(registered, dict)
    result = _ask(f"{registry.url}/schemas/ids/{registered['id']}")
    assert isinstance(result, dict)
    assert json.loads(result["schema"]) == json.loads(SCHEMA)
    assert "leads-value" in _ask(f"{registry.url}/subjects")  # type: ignore[operator]
