import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import schemas
from pipeline.avro.event_columns import COLUMNS
from pipeline.topics import ALL
from schemas.check import check, id_problems
from schemas.compatibility import problems, same_shape
from schemas.level import Level, level

EVENTS = [name for name in schemas.names() if name.startswith("event-")]
OUTPUTS = [name for name in schemas.names() if name not in EVENTS]
FIRST_RELEASE = {
    "event-web": 1400000101, "event-email": 1400000201, "event-app": 1400000301, "event-pos": 1400000401,
    "event-ads": 1400000501, "event-crm": 1400000601, "profile-update": 1400000701, "identity-change": 1400000801,
    "segment-change": 1400000901, "crm-action": 1400001001, "crm-ledger": 1400001101,
}  # fmt: skip
"""On topics for ever: records carry these numbers."""


def records(node):
    """Every record within a schema, itself included."""
    if isinstance(node, dict):
        if node.get("type") == "record":
            yield node
        for value in node.values():
            yield from records(value)
    elif isinstance(node, list):
        for item in node:
            yield from records(item)


def changed(name, change):
    document = json.loads(schemas.text(name))
    change(document)
    return json.dumps(document)


def test_there_is_a_schema_for_every_avro_topic_and_no_other():
    assert set(schemas.names()) == {topic.value for topic in ALL} - {"msgpack", "bytes"}


@pytest.mark.parametrize("name", schemas.names())
def test_every_record_and_field_is_documented_and_no_field_is_a_union(name):
    for record in records(json.loads(schemas.text(name))):
        assert record["doc"]
        for field in record["fields"]:
            assert field["doc"], field["name"]
            assert not isinstance(field["type"], list), field["name"]


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_field_of_an_output_has_a_default_so_that_it_can_come_and_go(name):
    for record in records(json.loads(schemas.text(name))):
        assert [field["name"] for field in record["fields"] if "default" not in field] == []


@pytest.mark.parametrize("name", schemas.names())
def test_an_empty_json_object_is_spelt_so_that_apicurio_takes_it_as_a_default(name):
    # Apicurio 3.3.3 answers 422 "Failed to discover artifact type" to a schema with the string default "{}".
    for record in records(json.loads(schemas.text(name))):
        assert "{}" not in [field.get("default") for field in record["fields"]]


@pytest.mark.parametrize("name", EVENTS)
def test_all_channels_share_the_columns_and_only_two_of_them_must_be_given(name):
    schema = schemas.load(name)
    assert schema["name"] == f"io.stitchline.v1.{name.removeprefix('event-').capitalize()}Event"
    assert tuple(field["name"] for field in schema["fields"]) == COLUMNS
    assert [f["name"] for f in schema["fields"] if "default" not in f] == ["message_id", "timestamp_ms"]


def test_the_schemas_keep_their_promise_towards_every_released_version():
    assert check() == []


def test_inputs_read_everything_and_outputs_are_read_by_everyone():
    assert {level(name) for name in EVENTS} == {Level.BACKWARD_TRANSITIVE}
    assert {level(name) for name in OUTPUTS} == {Level.FULL_TRANSITIVE}


def test_an_id_once_given_never_changes():
    for name, number in FIRST_RELEASE.items():
        assert schemas.text_of_own_id(number) == schemas.released(name, 1)
    assert schemas.text_of_own_id(1) is None
    for name in schemas.names():
        assert same_shape(schemas.text_of_own_id(schemas.own_id(name)), schemas.text(name))


def test_an_unknown_schema_is_named_with_the_known_ones():
    with pytest.raises(KeyError, match="there is no schema 'event-fax'; there are event-web"):
        schemas.text("event-fax")


@pytest.mark.parametrize("text", ['{"type": "record"}', '"no-such-type"', "[]", "not JSON", "42"])
def test_what_is_not_the_schema_of_a_record_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011  the parsers' own words vary
        schemas.parsed(text)


def test_a_new_field_with_a_default_is_compatible_both_ways():
    newer = changed("crm-action", lambda s: s["fields"].append({"name": "note", "type": "string", "default": ""}))
    assert problems(schemas.text("crm-action"), newer, Level.FULL_TRANSITIVE) == []
    assert not same_shape(schemas.text("crm-action"), newer)


def test_a_new_field_without_a_default_cannot_read_the_old_records():
    newer = changed("event-web", lambda s: s["fields"].append({"name": "note", "type": "string"}))
    assert problems(schemas.text("event-web"), newer, Level.BACKWARD_TRANSITIVE) == [
        "cannot read the old records: note (at /fields/10)"
    ]


def test_a_dropped_mandatory_field_is_fine_for_inputs_and_breaks_the_readers_of_outputs():
    newer = changed("event-web", lambda s: s["fields"].pop(2))
    assert problems(schemas.text("event-web"), newer, Level.BACKWARD_TRANSITIVE) == []
    assert problems(schemas.text("event-web"), newer, Level.FULL_TRANSITIVE) == [
        "old readers cannot read the new records: message_id (at /fields/2)"
    ]


def test_a_changed_type_inside_a_nested_record_is_found():
    def widen(schema):
        windows = next(field for field in schema["fields"] if field["name"] == "aggregates")["type"]["values"]
        windows["fields"][0]["type"] = "double"

    result = problems(schemas.text("profile-update"), changed("profile-update", widen), Level.FULL_TRANSITIVE)
    assert len(result) == 1
    assert "old readers cannot read" in result[0]


def test_documentation_can_change_without_a_release():
    assert same_shape(schemas.text("event-web"), changed("event-web", lambda s: s.update(doc="Another.")))


def test_an_id_given_twice_or_out_of_range_or_without_a_file_is_found():
    table = {"a": {"1": 1_400_000_101}, "b": {"1": 1_400_000_101, "2": 7}}
    assert id_problems(table, {"a": {"1"}, "b": {"1"}}) == [
        "ids.json: id 1400000101 is given twice",
        "ids.json: id 7 is not within 1400000001..1499999999",
        "ids.json: b lists versions ['1', '2'], released/ holds ['1']",
    ]


@pytest.fixture
def copy(tmp_path):
    """A copy of the schemas to change, and its check as a person runs it."""
    folder = tmp_path / "schemas"
    shutil.copytree(Path(schemas.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))

    def run(*arguments):
        command = [sys.executable, "-m", "schemas.check", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return folder, run


def test_a_compatible_change_needs_a_release_with_the_next_version_and_id(copy):
    folder, run = copy
    known = json.loads((folder / "ids.json").read_text())["crm-action"]
    newer = changed("crm-action", lambda s: s["fields"].append({"name": "note", "type": "string", "default": ""}))
    (folder / "crm-action.avsc").write_text(newer)
    before = run()
    assert before.returncode == 1
    assert "crm-action.avsc differs from its newest released version" in before.stdout
    assert run("--release").returncode == 0
    after = run()
    assert (after.returncode, after.stdout) == (0, "schemas: 11 compatible with every released version\n")
    version = str(len(known) + 1)
    assert json.loads((folder / "ids.json").read_text())["crm-action"] == known | {version: max(known.values()) + 1}
    assert (folder / "released" / "crm-action" / f"{version}.avsc").read_text() == newer


def test_an_incompatible_change_fails_the_check_and_is_not_released(copy):
    folder, run = copy
    released = folder / "released" / "crm-action"
    before = sorted(file.name for file in released.iterdir())
    (folder / "crm-action.avsc").write_text(
        changed("crm-action", lambda s: s["fields"][0].update(type="long", default=0))
    )
    assert run().returncode == 1
    refused = run("--release")
    assert refused.returncode == 1
    assert "crm-action.avsc against released version 1 (FULL_TRANSITIVE)" in refused.stdout
    assert sorted(file.name for file in released.iterdir()) == before


def test_an_argument_the_check_does_not_know_prints_its_help(copy):
    _, run = copy
    assert run("--relase").returncode == 2
