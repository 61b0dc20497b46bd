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

LIFETIME: Final = "lifetime"
