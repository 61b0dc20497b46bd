"""JSON Schemas of the rules files, made from the structs. Editors use them for completion, help and error marks.

They describe the files as they are written (``half_life: 7 d``). msgspec's own schemas describe the structs
(``half_life_ms``), so they are not used here.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import inspect

from pipeline.event.duration import DURATION_EXAMPLES, format_duration
from pipeline.rules.docs import field_docs, struct_doc
from pipeline.rules.files import FILES, RulesFile
from pipeline.rules.forms import DURATION_PATTERN, plain, text_schema
from pipeline.rules.words import LISTS, choices, is_duration, written_name

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SHIPPED: Final = Path(__file__).parent / "schema"


def schema_name(spec: RulesFile) -> str:
    """Returns the file name of a schema, such as ``intake.schema.json``."""
    return f"{spec.topic}.schema.json"


def file_schema(spec: RulesFile) -> dict[str, Any]:
    """Returns the JSON Schema (2020-12) of a rules file."""
    maker = _SchemaBuilder()
    root = maker.struct(inspect.type_info(spec.shape))
    head = {"$schema": DIALECT, "title": spec.title}
    return {**head, **root, **({"$defs": maker.defs} if maker.defs else {})}


def schema_text(spec: RulesFile) -> str:
    """Returns the schema as the text of its file."""
    return json.dumps(file_schema(spec), indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path, files: Iterable[RulesFile] = FILES) -> list[Path]:
    """Writes one schema per file. Creates the folder if it does not exist. Returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for spec in files:
        path = folder / schema_name(spec)
        path.write_text(schema_text(spec), encoding="utf-8")
        written.append(path)
    return written


class _SchemaBuilder:
    def __init__(self) -> None:
        self.defs: dict[str, Any] = {}

    def struct(self, struct_type: inspect.Type) -> dict[str, Any]:
        if not isinstance(struct_type, inspect.StructType):
            message = f"a rules file is read into a struct, not into {struct_type}"
            raise TypeError(message)
        docs = field_docs(struct_type.cls)
        properties = {}
        for field in struct_type.fields:
            key = written_name(field)
            schema = self.type(field.type)
            if field.name in docs:
                schema = {"description": docs[field.name], **schema}
            properties[key] = schema | _default(field)
        required = [written_name(field) for field in struct_type.fields if field.required]
        return {
            "description": struct_doc(struct_type.cls),
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            **({"required": required} if required else {}),
        }

    def type(self, expected: inspect.Type) -> dict[str, Any]:
        field_type = plain(expected)
        if isinstance(field_type, inspect.StructType):
            name = field_type.cls.__name__
            if name not in self.defs:
                self.defs[name] = {}  # reserve the name first: a struct may contain itself
                self.defs[name] = self.struct(field_type)
            return {"$ref": f"#/$defs/{name}"}
        if isinstance(field_type, LISTS):
            return {"type": "array", "items": self.type(field_type.item_type)}
        if isinstance(field_type, inspect.TupleType):
            count = len(field_type.item_types)
            items = self.type(field_type.item_types[0])
            return {"type": "array", "items": items, "minItems": count, "maxItems": count}
        if isinstance(field_type, inspect.DictType):
            return {"type": "object", "additionalProperties": self.type(field_type.value_type)}
        if isinstance(field_type, inspect.UnionType):
            return _any_of([self.type(option) for option in field_type.types])
        if isinstance(field_type, inspect.LiteralType | inspect.EnumType):
            return {"enum": list(choices(field_type))}
        return _scalar(expected)


def _scalar(expected: inspect.Type) -> dict[str, Any]:
    field_type = plain(expected)
    if isinstance(field_type, inspect.IntType) and is_duration(expected):
        span: dict[str, Any] = {"type": "string", "pattern": DURATION_PATTERN, "examples": list(DURATION_EXAMPLES)}
        return {"anyOf": [span, {"const": 0}]} if field_type.ge in {None, 0} else span
    if isinstance(field_type, inspect.IntType | inspect.FloatType):
        bounds = {
            "minimum": field_type.ge,
            "maximum": field_type.le,
            "exclusiveMinimum": field_type.gt,
            "exclusiveMaximum": field_type.lt,
        }
        kind = "integer" if isinstance(field_type, inspect.IntType) else "number"
        return {"type": kind, **{key: bound for key, bound in bounds.items() if bound is not None}}
    if isinstance(field_type, inspect.StrType):
        return {"type": "string", **text_schema(expected)}
    return {"type": "boolean" if isinstance(field_type, inspect.BoolType) else "null"}


def _any_of(options: list[dict[str, Any]]) -> dict[str, Any]:
    return options[0] if len(options) == 1 else {"anyOf": options}


def _default(field: inspect.Field) -> dict[str, Any]:
    if field.default is msgspec.NODEFAULT or isinstance(field.default, msgspec.UnsetType | msgspec.Struct):
        return {}
    if is_duration(field.type) and field.default:
        return {"default": format_duration(field.default)}
    return {"default": msgspec.to_builtins(field.default, enc_hook=None, order="deterministic")}
