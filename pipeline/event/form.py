"""The forms in which fields of rules are written. A field's type carries its form, which :mod:`pipeline.rules` reads.

>>> from msgspec import Struct
>>> class Window(Struct):
...     length_ms: Duration = 0  # in a rules file: length: 7 d
"""

from collections.abc import Iterable
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

Form: TypeAlias = Literal[
    "", "duration", "limit", "optional limit", "window", "pattern", "name", "condition", "route condition", "choice"
]
"""The name of a form; "" for values that need no conversion."""

FORM: Final = "form"
CHOICES: Final = "choices"
"""Keys of ``Meta.extra``."""

Duration: TypeAlias = Annotated[int, Meta(ge=0, extra={FORM: "duration"})]
"""Milliseconds, written as ``7 d``. The field's name ends in ``_ms``; rules files omit that suffix."""
PositiveDuration: TypeAlias = Annotated[int, Meta(ge=1, extra={FORM: "duration"})]
Limit: TypeAlias = Annotated[str, Meta(extra={FORM: "limit"})]
"""A count and a period, as in ``5 per 7 d`` or ``1 ever``."""
OptionalLimit: TypeAlias = Annotated[str, Meta(extra={FORM: "optional limit"})]
"""A limit, or "" for none."""
WindowLabel: TypeAlias = Annotated[str, Meta(extra={FORM: "window"})]
"""A window label such as ``7d``, also accepted as ``7 d`` or ``7 days``; or ``lifetime``."""
Pattern: TypeAlias = Annotated[str, Meta(extra={FORM: "pattern"})]
"""A regular expression."""
ConditionName: TypeAlias = Annotated[str, Meta(extra={FORM: "name"})]
"""A name that conditions write without quotes: letters, digits and ``_``, after the first sign also ``-`` and ``/``."""
ConditionText: TypeAlias = Annotated[str, Meta(extra={FORM: "condition"})]
"""A condition over a profile, in the language of :mod:`pipeline.condition`."""
RouteConditionText: TypeAlias = Annotated[str, Meta(extra={FORM: "route condition"})]
"""A condition over a lead."""


def choice(names: Iterable[str]) -> Meta:
    """Returns the form of a text field that must be one of ``names``."""
    return Meta(extra={FORM: "choice", CHOICES: tuple(names)})
