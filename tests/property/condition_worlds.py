"""Strategies for random conditions and for the values they read, and a naive definition of their results."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st

from pipeline.condition.due import due_growing, due_in_steps
from pipeline.condition.errors import MeaningError
from pipeline.condition.operand import Check, Kind, Operand, converted, converted_span
from pipeline.condition.syntax import (
    SIGNS,
    Among,
    And,
    Compare,
    Expression,
    Known,
    Name,
    Not,
    Or,
    Truth,
    Value,
)

NUMBERS = st.one_of(
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.decimals(-1_000_000, 1_000_000, places=6).map(float).map(lambda x: int(x) if x == int(x) else x),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PARTS = st.one_of(
    st.sampled_from(
        ("traits", "spent", "EUR", "marketing/email", "b-2", "not", "Known", "über", "2fa", "`", "a.b", "x y")
    ),
    TEXTS.filter(lambda text: text and not set(text) & set("\r\n")),
)
PATHS = st.lists(PARTS, min_size=1, max_size=3).map(tuple)
NAMES = st.builds(Name, PATHS, st.one_of(st.just(0), st.integers(1, 10**12)))


def value(kind: Any) -> st.SearchStrategy[Value]:
    of = {"number": NUMBERS, "text": TEXTS, "truth": st.booleans(), "duration": st.integers(1, 10**12)}[kind]
    return st.builds(Value, st.just(kind), of)


VALUES = st.sampled_from(("number", "text", "truth", "duration")).flatmap(value)


def joined(anchors: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Trees over leaves."""

    def deeper(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        several = st.lists(parts, min_size=2, max_size=3).map(tuple)
        return st.one_of(parts.map(Not), several.map(And), several.map(Or))

    return st.recursive(anchors, deeper, max_leaves=8)


EXPRESSIONS = joined(
    st.one_of(
        st.builds(Truth, NAMES),
        st.builds(Compare, NAMES, st.sampled_from((*SIGNS, "contains")), VALUES),
        st.builds(Among, NAMES, st.lists(VALUES, min_size=1, max_size=3).map(tuple), st.booleans()),
        st.builds(Known, NAMES, st.booleans()),
    )
)
"""Any tree that parsing can give."""


class World(NamedTuple):
    """Names whose values are steps of time, at one moment."""

    steps: dict[str, tuple[tuple[int, Any], ...]]
    """By name, (from when on, what), in the order of time; nothing before the first."""
    now: int

    def value(self, name: str) -> Any:
        result = None
        for at, what in self.steps[name]:
            if at <= self.now:
                result = what
        if name == "since":
            return None if result is None else self.now - result
        return result


class Stepping(NamedTuple):
    """An operand of such a world. ``hasty``: reports that it may change at its next step, for every comparison."""

    name: str
    kind: Kind
    hasty: bool = False

    def read(self, facts: World) -> Any:
        return facts.value(self.name)

    def convert(self, value: Value) -> Any:
        return converted_span(value) if self.name == "since" else converted(self.kind, value)

    def until(self, facts: World, check: Check) -> int:
        if self.name == "since":
            now = facts.value("since")
            return due_in_steps(check.holds, now, ()) if now is None else due_growing(
                check.holds, check.thresholds, now, facts.now
            )  # fmt: skip
        later = [(at, what) for at, what in facts.steps[self.name] if at > facts.now]
        if self.hasty and later:
            return later[0][0]
        return due_in_steps(check.holds, facts.value(self.name), later)


OPERANDS: dict[str, Stepping] = {
    item.name: item
    for item in (
        Stepping("count", "number"),
        Stepping("hasty", "number", hasty=True),
        Stepping("word", "text"),
        Stepping("flag", "truth"),
        Stepping("thing", "any"),
        Stepping("since", "number"),
    )
}
DAY = 100
"""Moments of these worlds are 0 to this."""
_SMALL = {
    "number": st.sampled_from((-1, 0, 1, 2, 2.5)),
    "text": st.sampled_from(("", "a", "ab", "b")),
    "truth": st.booleans(),
    "any": st.one_of(st.sampled_from((0, 1, 2.5, "a", "ab", True, False)), st.lists(st.sampled_from((1, "a", True)))),
}
_MOMENTS = st.integers(0, DAY)


def _steps(kind: str, of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[tuple[int, Any], ...]]:
    step = st.tuples(_MOMENTS, st.one_of(st.none(), of))
    return st.lists(step, max_size=5, unique_by=lambda entry: entry[0]).map(
        lambda entry: tuple(sorted(entry, key=_first))
    )


def _first(step: tuple[int, Any]) -> int:
    return step[0]


WORLDS = st.fixed_dictionaries(
    {name: _steps(item.kind, _SMALL[item.kind]) for name, item in OPERANDS.items() if name != "since"}
    | {"since": st.integers(-20, 0).map(lambda at: ((at, at),))}
)


def _literals(name: str) -> st.SearchStrategy[Value]:
    if name == "since":
        return st.builds(Value, st.just("duration"), st.integers(1, DAY))
    kind = OPERANDS[name].kind
    kinds = ("number", "text", "truth") if kind == "any" else (kind,)
    return st.sampled_from(kinds).flatmap(lambda entry: st.builds(Value, st.just(entry), _SMALL[entry]))


def _asked(name: str) -> st.SearchStrategy[Expression]:
    named, kind, literals = Name((name,)), OPERANDS[name].kind, _literals(name)
    signs = ("=", "!=") if kind == "truth" else SIGNS
    made = [
        st.builds(Known, st.just(named), st.booleans()),
        st.builds(Among, st.just(named), st.lists(literals, min_size=1, max_size=3).map(tuple), st.booleans()),
        st.builds(Compare, st.just(named), st.sampled_from(signs), literals).filter(_ordered),
    ]
    if kind in {"truth", "any"}:
        made.append(st.just(Truth(named)))
    if kind in {"text", "any"}:
        made.append(st.builds(Compare, st.just(named), st.just("contains"), literals))
    return st.one_of(made)


def _ordered(compare: Compare) -> bool:
    return compare.value.kind != "truth" or compare.operator in {"=", "!="}


QUESTIONS = joined(st.sampled_from(sorted(OPERANDS)).flatmap(_asked))
"""Trees that mean something in these worlds."""


def resolve(path: tuple[str, ...], window: str | None) -> Operand[World]:
    if path[0] not in OPERANDS or window:
        message = f"there is no {path[0]}"
        raise MeaningError(message, "name another")
    return OPERANDS[path[0]]


def means(truth: Expression, world: World) -> bool:
    """What the language's documentation says, without any of its code."""
    if isinstance(truth, Not):
        return not means(truth.part, world)
    if isinstance(truth, And | Or):
        result = [means(part, world) for part in truth.parts]
        return all(result) if isinstance(truth, And) else any(result)
    value = world.value(truth.name.path[0])
    if isinstance(truth, Truth):
        return value is True
    if isinstance(truth, Known):
        return (value is None) == truth.negated
    if isinstance(truth, Among):
        return (_key(value) in [_key(entry.value) for entry in truth.values]) != truth.negated
    return _compares(value, truth.operator, truth.value.value)


def _compares(value: Any, operator: str, wanted: Any) -> bool:
    if operator in {"=", "!="}:
        return (_key(value) == _key(wanted)) == (operator == "=")
    if operator == "contains":
        if isinstance(value, list):
            return _key(wanted) in list(map(_key, value))
        return isinstance(value, str) and isinstance(wanted, str) and value.find(wanted) >= 0
    if _key(value)[0] != _key(wanted)[0] or _key(value)[0] not in {"number", "text"}:
        return False
    return {"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[operator]


def _key(value: Any) -> tuple[str, Any]:
    """Values are the same if they are of one sort and equal."""
    sort = {bool: "truth", int: "number", float: "number", str: "text", list: "list"}.get(type(value), "nothing")
    return sort, value


def moments(start: int, end: int) -> Iterator[int]:
    """Every moment from one up to, not including, another, at most to the end of these worlds."""
    yield from range(start, min(end, DAY + 25))
