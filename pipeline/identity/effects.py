"""What a batch of links leads to, as data: the shell turns it into records, in this order."""

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.messages import Assignment, IdentityChange, Move


class StitchEffects(msgspec.Struct):
    """Everything one batch decided. An identifier may appear more than once; the highest ``seq`` is its last word."""

    assignments: list[tuple[Identifier, Assignment]] = []
    changes: list[IdentityChange] = []
    moves: list[Move] = []
