"""Reads the docstrings of structs and their fields, which editors show to authors of rules."""

import ast
import inspect
import textwrap
from functools import cache

import msgspec

from pipeline.rules.files import PARTS


@cache
def field_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Returns the docstring of each field as one line of Markdown. Omits fields without one."""
    docs: dict[str, str] = {}
    for part in reversed(PARTS.get(struct, (struct,))):
        for base in reversed(part.__mro__):
            if issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
                docs |= _docs(base)
    return docs


def struct_doc(struct: type[msgspec.Struct]) -> str:
    """Returns the first paragraph of the struct's docstring as one line of Markdown."""
    first = PARTS.get(struct, (struct,))[0]
    return _one_line((inspect.getdoc(first) or "").partition("\n\n")[0])


def _docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    body = ast.parse(textwrap.dedent(inspect.getsource(struct))).body[0]
    if not isinstance(body, ast.ClassDef):
        return {}
    docs = {}
    for field, doc in zip(body.body, body.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant) and isinstance(doc.value.value, str):
            docs[field.target.id] = _one_line(doc.value.value)
    return docs


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())
