"""Texts that a struct takes as any text, and that are known here to be one of a set, a span of time or a pattern."""

from typing import Final

from pipeline.profile.kinds import KINDS

CHOICES: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("AggregateRule", "kind"): tuple(KINDS),
    ("IdentifierType", "normalise"): ("text", "lower", "email", "phone"),
}
"""By struct and field: what may be written."""

SPANS: Final = frozenset({"windows", "half_life", "cooldown"})
"""Fields of texts such as ``7d``; files may say ``7 d`` or ``7 days`` as for every other duration. Empty means none."""

PATTERNS: Final = frozenset({"blocked_patterns"})
"""Fields of regular expressions."""

CONDITIONS: Final = frozenset({"when"})
"""Fields of conditions, in the language of :mod:`pipeline.condition`."""
CONDITION_EXAMPLES: Final = (
    "spent.EUR over 30 d >= 500 and orders over 90 d >= 3",
    'traits.plan = "gold" and (score.engagement >= 50 or not segment.dormant)',
    'traits.country in ["DE", "AT"] and traits.phone is known',
    'cart.status = "abandoned" and cart.amount.EUR >= 100',
)
ROUTE_EXAMPLES: Final = (
    'traits.country in ["DE", "AT"] and score >= 80',
    'channel = "ads" and campaign = "autumn" and contact.phone is known',
    'segment.big_spenders and grade contains "A"',
)
"""A route asks of a lead."""

LIFETIME: Final = "lifetime"
