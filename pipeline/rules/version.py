"""The version of rules: what workers and commands compare to know whether they work by the same."""

import hashlib
from typing import Final

import msgspec

from pipeline.rules.crm import CrmRules
from pipeline.rules.model import Rules

_DIGITS: Final = 12
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def rules_version(rules: Rules) -> str:
    """The version of the rules in force: 12 hexadecimal digits, a hash of their content with every default.

    Comments, the order of keys and where a file stands do not change it; a default that a new release changes does.
    """
    rules = msgspec.structs.replace(rules, crm=CrmRules())  # workers do not read it
    return hashlib.sha256(_ENCODER.encode(rules)).hexdigest()[:_DIGITS]
