"""The JSON Schemas: up to date, valid, and in agreement with the loader on the shipped rules."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec import inspect

from connectors.sources.mapping_file import MAPPING_FILE
from pipeline.rules.docs import field_docs
from pipeline.rules.document import Node, read_document
from pipeline.rules.files import FILES, RulesFile
from pipeline.rules.forms import form_of, plain
from pipeline.rules.load import DEFAULTS
from pipeline.rules.schema import SHIPPED, file_schema, schema_name, schema_text, write_schemas
from pipeline.rules.words import LISTS

each_file = pytest.mark.parametrize("spec", FILES, ids=lambda spec: spec.topic)


def data_of(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: data_of(entry.node) for key, entry in node.value.items()}
    return [data_of(item) for item in node.value] if isinstance(node.value, list) else node.value


def parsed(text: str) -> Any:
    node = read_document("f.yaml", text, [])
    assert node is not None
    return data_of(node)


def errors(topic: str, text: str) -> list[str]:
    [spec] = [spec for spec in FILES if spec.topic == topic]
    validator = jsonschema.Draft202012Validator(file_schema(spec))
    return [error.message for error in validator.iter_errors(parsed(text))]


@pytest.mark.parametrize("spec", [*FILES, MAPPING_FILE], ids=lambda spec: spec.topic)
def test_the_committed_schema_equals_that_of_the_structs(spec: RulesFile) -> None:
    committed = (SHIPPED / schema_name(spec)).read_text(encoding="utf-8")
    assert committed == schema_text(spec), "run: stitchline rules schema --out pipeline/rules/schema"


def test_no_schema_is_left_of_a_file_that_is_gone(tmp_path: Path) -> None:
    written = write_schemas(tmp_path / "new", (*FILES, MAPPING_FILE))
    assert {path.name for path in written} == {path.name for path in SHIPPED.iterdir()}


@pytest.mark.parametrize("columns", ["card", ["name", "born"]])
def test_the_schema_of_mappings_takes_one_column_or_several(columns: str | list[str]) -> None:
    mapping = {"timestamp": {"column": "at"}, "identifiers": {"loyalty_id": columns}}
    jsonschema.validate(mapping, file_schema(MAPPING_FILE))


@each_file
def test_the_schema_is_valid_and_takes_the_shipped_rules(spec: RulesFile) -> None:
    schema = file_schema(spec)
    jsonschema.Draft202012Validator.check_schema(schema)
    text = (DEFAULTS / spec.name).read_text(encoding="utf-8")
    assert errors(spec.topic, text) == []


@each_file
def test_the_shipped_rules_name_their_schema_for_editors(spec: RulesFile) -> None:
    first = (DEFAULTS / spec.name).read_text(encoding="utf-8").splitlines()[0]
    comment, _, relative = first.partition("$schema=")
    assert comment == "# yaml-language-server: "
    assert (DEFAULTS / relative).resolve() == (SHIPPED / schema_name(spec)).resolve()
    assert json.loads((DEFAULTS / relative).read_text(encoding="utf-8"))["title"] == spec.title


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("intake", "retention_ms: 3"),
        ("intake", "retention: 3"),
        ("intake", "retention: 3 months"),
        ("intake", "max_depth: 0"),
        ("intake", "default_country: usa"),
        ("identifiers", "types: [{name: a}]"),
        ("identifiers", "types: [{name: a, priority: 1, limits: [5 per 7]}]"),
        ("identifiers", "types: [{name: a, priority: 1, normalise: emial}]"),
        ("aggregates", "aggregates: [{name: a, kind: cuont}]"),
        ("aggregates", "aggregates: [{name: a, windows: [weekly]}]"),
        ("aggregates", "aggregates: [{name: a, filter: {channels: [wep]}}]"),
        ("scores", "scores: [{name: a, points: 1.5}]"),
        ("scores", "grades: {letters: [3, 2]}"),
        ("triggers", "triggers: [{name: a, high: 3}]"),
    ],
)
def test_an_editor_marks_what_the_loader_refuses(topic: str, text: str) -> None:
    assert errors(topic, text)


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("intake", "retention: 2 weeks\nfuture_tolerance: 0"),
        ("identifiers", "types: [{name: a, priority: 1, limits: [1 ever, 5 per 7 days, 2 per 1 h 30 min]}]"),
        ("aggregates", "aggregates: [{name: a, windows: [1 h, 24h, 7 days, lifetime]}]"),
    ],
)
def test_an_editor_takes_every_way_in_which_durations_are_written(topic: str, text: str) -> None:
    assert errors(topic, text) == []


@each_file
def test_every_field_of_a_file_is_explained_or_explains_itself(spec: RulesFile) -> None:
    assert file_schema(spec)["description"]
    assert all("``" not in doc and "\n" not in doc for doc in field_docs(spec.shape).values())


def structs_of(result: inspect.Type) -> list[inspect.StructType]:
    result = plain(result)
    if isinstance(result, inspect.StructType):
        return [result, *(item for field in result.fields for item in structs_of(field.type))]
    if isinstance(result, inspect.UnionType):
        return [item for option in result.types for item in structs_of(option)]
    return structs_of(result.item_type) if isinstance(result, LISTS) else []


@each_file
def test_every_duration_and_nothing_else_is_named_by_its_unit(spec: RulesFile) -> None:
    for struct in structs_of(inspect.type_info(spec.shape)):
        for field in struct.fields:
            assert field.name.endswith("_ms") == (form_of(field.type) == "duration"), (struct.cls, field.name)
