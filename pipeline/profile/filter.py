"""Filters: select the touches of a rule by channel, type, event name and any field."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from pipeline.event.model import Channel, EventType
from pipeline.event.names import fold_name
from pipeline.event.number_text import number_of
from pipeline.event.zone import UTC, Zone
from pipeline.profile.fields import EVENT, getter
from pipeline.profile.messages import Touch

Scalar: TypeAlias = str | int | float | bool
Test: TypeAlias = Callable[[Touch], bool]
_KIND_FIELDS: Final = ("channel", "type", EVENT)


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition on one field. All of its operators must hold.

    A field that is missing or null fails every operator except ``exists: false`` and ``ne``. If the condition names a
    number, text in the field is read as a number. If it names text, only text matches. true does not equal 1.
    """

    field: str
    """``properties.…``, ``context.…``, ``traits.…``, ``channel``, ``type``, ``event``, ``currency``, ``amount``
    (minor units), ``hour`` (0 to 23) or ``weekday`` (1, Monday, to 7)."""
    eq: Scalar | None = None
    ne: Scalar | None = None
    one_of: tuple[Scalar, ...] | None = None
    gt: int | float | None = None
    gte: int | float | None = None
    lt: int | float | None = None
    lte: int | float | None = None
    contains: str | None = None
    """The text contains this part, or the list contains this item."""
    exists: bool | None = None

    def __post_init__(self) -> None:
        getter(self.field)
        if not _checks(self):
            msg = f"condition on {self.field!r} has no operator: add eq, ne, one_of, gt, gte, lt, lte, contains, exists"
            raise ValueError(msg)


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Selects touches. All given criteria must hold; an empty list admits any value."""

    events: tuple[str, ...] = ()
    """Event names, as in ``event`` of a track call. Case and separators do not matter."""
    types: tuple[EventType, ...] = ()
    channels: tuple[Channel, ...] = ()
    where: tuple[Condition, ...] = ()

    def admits(self, channel: str, kind: str, name: str) -> bool:
        """Returns whether a touch of this channel, type and event name may match. Ignores the conditions on fields."""
        return (
            (not self.events or fold_name(name) in map(fold_name, self.events))
            and (not self.types or kind in self.types)
            and (not self.channels or channel in self.channels)
        )

    def tests(self, zone: Zone = UTC) -> tuple[Test, ...]:
        """Returns the compiled conditions on fields; hours and weekdays are local to the zone."""
        return tuple(_test(condition, zone) for condition in self.where)


class KindTest:
    """A condition on the channel, the type or the name: all touches that agree in these pass it, or none."""

    def __init__(self, condition: Condition) -> None:
        self._place = _KIND_FIELDS.index(condition.field)
        self._checks = _checks(_with_folded_names(condition) if condition.field == EVENT else condition)

    def __call__(self, touch: Touch) -> bool:
        """Returns whether the condition holds for a touch."""
        return self.holds(touch.channel, touch.type, touch.name)

    def holds(self, *kind: str) -> bool:
        """Returns whether the condition holds for touches of this channel, type and name."""
        value: str | None = kind[self._place]
        if self._place == _KIND_FIELDS.index(EVENT):
            value = fold_name(value) if value else None
        return all(check(value) for check in self._checks)


def _test(condition: Condition, zone: Zone) -> Test:
    if condition.field in _KIND_FIELDS:
        return KindTest(condition)
    read, checks = getter(condition.field, zone), _checks(condition)

    if len(checks) == 1:
        only = checks[0]
        return lambda touch: only(read(touch))

    def holds(touch: Touch) -> bool:
        value = read(touch)
        return all(check(value) for check in checks)

    return holds


def _with_folded_names(condition: Condition) -> Condition:
    def fold(value: Any) -> Any:
        return fold_name(value) if type(value) is str else value

    names = None if condition.one_of is None else tuple(map(fold, condition.one_of))
    return msgspec.structs.replace(
        condition, eq=fold(condition.eq), ne=fold(condition.ne), one_of=names, contains=fold(condition.contains)
    )


def same(one: Any, other: Any) -> bool:
    """Returns whether two values are equal. true does not equal 1; text equals the number that it contains."""
    if type(one) is str and type(other) in (int, float):
        one = number_of(one)
    return bool(one == other) and (type(one) is bool) == (type(other) is bool)


def _checks(condition: Condition) -> tuple[Callable[[Any], bool], ...]:
    made = (
        (condition.eq, _equals),
        (condition.ne, _differs),
        (condition.one_of, _one_of),
        (condition.gt, lambda bound: lambda value: (number := number_of(value)) is not None and number > bound),
        (condition.gte, lambda bound: lambda value: (number := number_of(value)) is not None and number >= bound),
        (condition.lt, lambda bound: lambda value: (number := number_of(value)) is not None and number < bound),
        (condition.lte, lambda bound: lambda value: (number := number_of(value)) is not None and number <= bound),
        (condition.contains, _contains),
        (condition.exists, lambda wanted: lambda value: (value is not None) is wanted),
    )
    return tuple(make(operand) for operand, make in made if operand is not None)


def _equals(wanted: Any) -> Callable[[Any], bool]:
    return lambda value: same(value, wanted)


def _differs(unwanted: Any) -> Callable[[Any], bool]:
    return lambda value: not same(value, unwanted)


def _one_of(wanted: Any) -> Callable[[Any], bool]:
    return lambda value: any(same(value, item) for item in wanted)


def _contains(part: Any) -> Callable[[Any], bool]:
    return lambda value: type(value) in (str, list) and part in value
