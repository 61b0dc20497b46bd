"""What a signed-in person may do: each role is a set of rights, and each page names the right it needs."""

from enum import StrEnum
from typing import Final


class Right(StrEnum):
    """One thing a page may demand."""

    READ = "read"
    """Counts, segments, rules, sources, and customers with their personal data masked."""
    PERSONAL = "personal"
    """Names, addresses, identifiers and event properties of customers, unmasked. Each such read is recorded."""
    TRY = "try"
    """The condition editor and dry runs, which evaluate rules on stored profiles and change nothing."""
    OPERATE = "operate"
    """Quarantined records and their replay."""
    PRIVACY = "privacy"
    """Requests to erase, refuse or admit a person, and their receipts, which hold no identifier."""
    DISCLOSE = "disclose"
    """Everything that is held about a person, in one file."""
    ADMIN = "admin"
    """Users, their sessions, and the record of personal reads."""


class Role(StrEnum):
    """The roles, as stored and as ``stitchline serve users add --role`` takes them."""

    VIEWER = "viewer"
    MARKETER = "marketer"
    OPERATOR = "operator"
    ADMIN = "admin"


RIGHTS: Final[dict[Role, frozenset[Right]]] = {
    Role.VIEWER: frozenset({Right.READ}),
    Role.MARKETER: frozenset({Right.READ, Right.PERSONAL, Right.TRY}),
    Role.OPERATOR: frozenset({Right.READ, Right.TRY, Right.OPERATE, Right.PRIVACY}),
    Role.ADMIN: frozenset(Right),
}
"""An operator repairs the pipeline, and carries out requests of persons, without seeing customers; a marketer or a
representative sees customers."""
