"""The effects of a batch, as data. The shell publishes them as records, in the order of the fields."""

from collections.abc import Sequence

import msgspec

from pipeline.event.erasure import Marking
from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.messages import Assignment, ChangeKind, Command, IdentifierOwnership, IdentityChange, Link, Move
from pipeline.identity.profile_id import profile_id

LINKED: str = Reason.LINKED.value


class StitchEffects(msgspec.Struct):
    """The records that one batch produces."""

    marks: list[Marking] = []
    """Decisions about identifiers, which every partition must know before any later decision."""
    erased: dict[Identifier, None] = {}
    """Identifiers whose assignments end. Those that have a new one in the same batch are in ``assignments`` too."""
    assignments: dict[Identifier, Assignment] = {}
    """The last assignment of each identifier in the batch. Readers of committed records need no earlier ones."""
    changes: list[IdentityChange] = []
    moves: list[Move] = []
    """Moves to send to the profiles that identifiers leave."""
    moves_for_target: list[Move] = []
    """The moves that include the target's founder. They are sent to the target profile too."""
    ownerships: list[tuple[str, IdentifierOwnership]] = []
    """Ownerships, each with the id of the profile to send it to."""


class EffectsRecorder:
    """Records the changes to profiles as effects, and numbers them."""

    def __init__(self, tenant: str) -> None:
        self.effects = StitchEffects()
        self.seq = 0
        self._tenant = tenant

    def start_batch(self, seq: int) -> None:
        """Starts a batch with no effects. ``seq`` is the last number used."""
        self.effects = StitchEffects()
        self.seq = seq

    def record_change(
        self,
        change: ChangeKind,
        founders: tuple[Identifier, Identifier],
        identifiers: list[Identifier],
        cause: Link | Command,
        *,
        rule: str = "",
        reason: str = LINKED,
    ) -> int:
        """Records a public change about the profiles of two founders, which may be equal. Returns its number."""
        self.seq = seq = self.seq + 1
        tenant = self._tenant
        if isinstance(cause, Link):
            event_id, source, actor, why, at_ms = cause.event_id, cause.source, "", "", cause.last_seen_ms
        else:
            event_id, source, actor, why, at_ms = cause.event_id, "", cause.actor, cause.why, cause.timestamp_ms
        founder, other = founders
        target, ended = profile_id(tenant, founder), "" if other == founder else profile_id(tenant, other)
        self.effects.changes.append(
            IdentityChange(
                tenant, seq, change, target, ended, founder, identifiers, rule, str(reason),
                event_id, source, actor, why, at_ms,
            )
        )  # fmt: skip
        return seq

    def record_marking(self, change: ChangeKind, founder: Identifier, marking: Marking, command: Command) -> None:
        """Records a decision about all identifiers of the profile of ``founder``. The public change names none."""
        marking.seq = self.seq = self.seq + 1
        self.effects.marks.append(marking)
        self.effects.changes.append(
            IdentityChange(
                self._tenant, self.seq, change, profile_id(self._tenant, founder), "", "", [], "", Reason.COMMAND.value,
                command.event_id, "", command.actor, command.why, command.timestamp_ms,
            )
        )  # fmt: skip

    def erase(self, idents: Sequence[Identifier]) -> None:
        """Records that the assignments of identifiers end."""
        for ident in idents:
            self.effects.assignments.pop(ident, None)
            self.effects.erased[ident] = None

    def record_first_link(self, ident: Identifier, founder: Identifier, link: Link) -> None:
        """Records that an identifier leaves the profile that it founded: a fast form of :meth:`record_move`."""
        self.seq = seq = self.seq + 1
        tenant, effects = self._tenant, self.effects
        source, target = profile_id(tenant, ident), profile_id(tenant, founder)
        effects.assignments[ident] = Assignment(target, seq)
        effects.moves.append(Move(tenant, [ident], source, target, seq))
        effects.changes.append(
            IdentityChange(
                tenant, seq, "merged", target, source, founder, [ident], "", LINKED,
                link.event_id, link.source, "", "", link.last_seen_ms,
            )
        )  # fmt: skip

    def record_move(
        self,
        moved: Sequence[tuple[Identifier, list[Identifier]]],
        ended: Identifier,
        founder: Identifier,
        cause: Link | Command,
        *,
        over: bool = True,
        reason: str = LINKED,
        rule: str = "",
    ) -> None:
        """Records that identifiers move from the profile of ``ended`` to that of ``founder``.

        ``moved`` pairs each identifier with its contested ends. ``over`` means that the source has no identifier left:
        the change is then ``merged``, else ``split``.
        """
        idents = [ident for ident, _ in moved]
        if over:
            seq = self.record_change("merged", (founder, ended), idents, cause, rule=rule, reason=reason)
        else:
            seq = self.record_change("split", (ended, founder), idents, cause, rule=rule, reason=reason)
        tenant, effects = self._tenant, self.effects
        source, target = profile_id(tenant, ended), profile_id(tenant, founder)
        for ident, contested in moved:
            effects.assignments[ident] = Assignment(target, seq, contested)
        move = Move(tenant, idents, source, target, seq)
        effects.moves.append(move)
        if founder in idents:
            effects.moves_for_target.append(move)

    def own(self, anchor: Identifier, founder: Identifier, owned: dict[Identifier, bool]) -> None:
        """Records, for the ledger of an anchor, which identifiers of its events belong to its customer."""
        self.seq = seq = self.seq + 1
        message = IdentifierOwnership(self._tenant, anchor, seq, owned, seq)
        self.effects.ownerships.append((profile_id(self._tenant, founder), message))

    def record_contested(self, ident: Identifier, founder: Identifier, contested: list[Identifier]) -> None:
        """Records that the contested links of an identifier changed and its profile did not."""
        self.seq += 1
        self.effects.assignments[ident] = Assignment(profile_id(self._tenant, founder), self.seq, contested)
