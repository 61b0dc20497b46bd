"""The version of rules: what workers and commands compare to know whether they work by the same."""

import hashlib
from typing import Final

import msgspec

from pipeline.rules.model import Rules

READ_BY_OTHERS: Final = frozenset({"sources", "crm"})
"""Parts that the collector and CRM sinks read, and no worker."""
_DIGITS: Final = 12
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def rules_version(rules: Rules) -> str:
    """The version of the rules in force: 12 hexadecimal digits, a hash of their content with every default.

    Comments, the order of keys and where a file stands do not change it; a default that a new release changes does.
    Neither do ``sources.yaml`` and ``crm.yaml``, which no worker reads.
    """
    decisive = {name: getattr(rules, name) for name in rules.__struct_fields__ if name not in READ_BY_OTHERS}
    return hashlib.sha256(_ENCODER.encode(decisive)).hexdigest()[:_DIGITS]
