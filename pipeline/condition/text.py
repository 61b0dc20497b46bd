"""The canonical text of a condition: ``parse(format_condition(x)) == x`` for every tree that ``parse`` returns."""

import re
from decimal import Decimal
from typing import Final

from pipeline.condition.lexer import ESCAPES, FIRST_PART, NEXT_PART
from pipeline.condition.syntax import KEYWORDS, Among, And, Compare, Expression, Known, Name, Not, Or, Truth, Value
from pipeline.event.duration import format_duration

_FIRST: Final = re.compile(FIRST_PART)
_NEXT: Final = re.compile(NEXT_PART)
_ESCAPED: Final = str.maketrans({sign: f"\\{letter}" for letter, sign in ESCAPES.items() if sign != "'"})


def format_condition(expression: Expression) -> str:
    """Returns the text, with parentheses only where they are needed."""
    if isinstance(expression, And | Or):
        word = " and " if isinstance(expression, And) else " or "
        return word.join(_part(part, within=expression) for part in expression.parts)
    if isinstance(expression, Not):
        return f"not {_part(expression.part, within=expression)}"
    if isinstance(expression, Truth):
        return format_name(expression.name)
    return f"{format_name(expression.name)} {_comparison(expression)}"


def format_name(name: Name) -> str:
    """Returns a name with its window."""
    quoted = [part if _NEXT.fullmatch(part) else _backticks(part) for part in name.path[1:]]
    first = name.path[0]
    plain = _FIRST.fullmatch(first) and (quoted or first.lower() not in KEYWORDS)
    path = ".".join([first if plain else _backticks(first), *quoted])
    return f"{path} over {format_duration(name.window_ms)}" if name.window_ms else path


def format_value(value: Value) -> str:
    """Returns a literal."""
    if isinstance(value.value, str):
        return f'"{value.value.translate(_ESCAPED)}"'
    if isinstance(value.value, bool):
        return "true" if value.value else "false"
    if value.kind == "duration":
        return format_duration(int(value.value))
    return str(value.value) if isinstance(value.value, int) else f"{Decimal(repr(value.value)):f}"


def _comparison(expression: Compare | Among | Known) -> str:
    if isinstance(expression, Compare):
        return f"{expression.operator} {format_value(expression.value)}"
    if isinstance(expression, Among):
        values = ", ".join(map(format_value, expression.values))
        return f"{'not in' if expression.negated else 'in'} [{values}]"
    return "is unknown" if expression.negated else "is known"


def _part(part: Expression, *, within: And | Or | Not) -> str:
    """Returns the text of a part, in parentheses where the tree needs them to be read back as it is."""
    text = format_condition(part)
    loose = isinstance(part, And | Or) and not (isinstance(within, Or) and isinstance(part, And))
    return f"({text})" if loose else text


def _backticks(part: str) -> str:
    return f"`{part.replace('`', '``')}`"
