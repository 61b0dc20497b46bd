"""Marks: what they refuse, what they take out of events, and what they leave of INTAKE's rows."""

from hashlib import blake2b

import pytest

from pipeline.event.anchor import Alias, AnchorRow, KnownLink
from pipeline.event.erasure import (
    ADMIT,
    NO_MARKS,
    REFUSE,
    STRIP,
    Mark,
    Marking,
    admit,
    cleaned_anchor,
    digest_of,
    is_erased,
)
from pipeline.event.intake import Intake
from pipeline.event.reason import Reason
from pipeline.event.result import Drop
from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.rules.normalisers import normalisers
from pipeline.testing.build import START_MS, event
from pipeline.testing.table import MemoryTable

ANN, PHONE = "user_id:ann", "device_id:phone"
T, SEQ = START_MS, 7
ERASED, REFUSED, STRIPPED = (
    Mark(SEQ, T),
    Mark(admission_seq=1, admission=REFUSE),
    Mark(admission_seq=1, admission=STRIP),
)


class Known(dict[str, Mark]):
    """Marks by identifier."""

    @property
    def known(self):
        return self

    unswept = known

    def of(self, tenant: str, ident: str) -> Mark | None:
        assert tenant == "default"
        return self.get(ident)


def link(first_ms: int) -> KnownLink:
    return KnownLink(first_ms, first_ms + 9, 1, first_ms, first_ms + 9)


def test_a_digest_is_a_hash_of_tenant_and_identifier_and_nothing_is_marked_by_default():
    assert digest_of("t", ANN) == blake2b(b"t/user_id:ann", digest_size=16).digest()
    assert not NO_MARKS
    assert NO_MARKS.of("t", ANN) is None
    assert (NO_MARKS.known, NO_MARKS.unswept) == (NO_MARKS, NO_MARKS)
    assert not is_erased(None, 0)


@pytest.mark.parametrize("order", [1, -1])
def test_the_decision_with_the_highest_number_counts_in_any_order(order):
    decisions = [("opt_out", 1), ("erase", 2), ("opt_in", 3), ("erase", 4)]
    mark = Mark()
    for kind, seq in decisions[::order]:
        mark.apply(Marking("t", "r", kind, seq, T + seq, [], []), names_person=True)
    assert mark == Mark(4, T + 4, 3, ADMIT)
    device = Mark()
    device.apply(Marking("t", "r", "opt_out", 5, T, [], []), names_person=False)
    assert device.admission == STRIP


@pytest.mark.parametrize(
    ("marks", "at_ms", "left"),
    [
        ({}, T, [ANN, PHONE]),
        ({ANN: ERASED}, T, Reason.ERASED),
        ({ANN: ERASED}, T + 1, [ANN, PHONE]),
        ({PHONE: ERASED}, T, [ANN]),
        ({PHONE: ERASED}, T + 1, [ANN, PHONE]),
        ({ANN: REFUSED}, T, Reason.SUPPRESSED),
        ({PHONE: REFUSED}, T, Reason.SUPPRESSED),
        ({PHONE: STRIPPED}, T, [ANN]),
        ({ANN: STRIPPED}, T, Reason.SUPPRESSED),
    ],
)
def test_an_event_is_dropped_or_loses_the_marked_identifiers(marks, at_ms, left):
    seen = event([ANN, PHONE], timestamp_ms=at_ms)
    dropped = admit(seen, Known(marks))

    assert (dropped and dropped.reason) == (None if isinstance(left, list) else left)
    if dropped is None:
        assert seen.identifiers == left


def test_an_alias_of_an_erased_user_id_is_dropped():
    seen = event(["user_id:new"], type="alias", context={"previousId": "ann"})

    assert admit(seen, Known({ANN: ERASED})) == Drop(Reason.ERASED)
    assert admit(seen, Known({PHONE: ERASED})) is None


def test_intake_drops_a_marked_event_once_and_ignores_its_alias():
    kinds = [IdentifierType(name="user_id", priority=1)]
    seen, rows = set(), MemoryTable()

    class Seen:
        def add(self, digest, _at_ms):
            return digest not in seen and not seen.add(digest)

    intake = Intake(IntakeRules(), kinds, normalisers(""), rows, Seen(), marks=Known({ANN: ERASED}))
    key = f"default/{ANN}"
    assert intake.on_event(event([ANN]), key=key, now_ms=T) == Drop(Reason.ERASED)
    assert intake.on_event(event([ANN]), key=key, now_ms=T) == Drop(Reason.DUPLICATE)
    copy = event(["user_id:new"], type="alias", message_id="m2", context={"previousId": "ann"})
    assert intake.on_alias(copy) == []
    assert rows.rows == {}


@pytest.mark.parametrize(
    ("row", "stays"),
    [
        (AnchorRow(profile_id="p", seq=SEQ - 1, first_ms=T), False),
        (AnchorRow(profile_id="p", seq=SEQ + 1, first_ms=T + 1), True),
        (AnchorRow(first_ms=T), False),
        (AnchorRow(first_ms=T + 1), True),
        (AnchorRow(aliases={"user_id:b": Alias(T, T, 1, "s", "e")}), False),
        (AnchorRow(aliases={"user_id:b": Alias(T + 1, T + 1, 1, "s", "e")}), True),
    ],
)
def test_the_row_of_an_erased_anchor_stays_only_if_it_is_newer(row, stays):
    assert cleaned_anchor("default", ANN, row, Known({ANN: ERASED})) is (row if stays else None)


def test_the_row_of_another_anchor_loses_what_names_the_erased_one():
    other = Alias(T + 1, T + 1, 1, "s", "e")
    row = AnchorRow(
        profile_id="p", seq=SEQ - 1, contested=[PHONE, "device_id:tv"], first_ms=T,
        links={PHONE: link(T), "device_id:tv": link(T)}, aliases={ANN: Alias(T, T, 1, "s", "e"), "user_id:c": other},
    )  # fmt: skip
    marks = Known({ANN: ERASED, PHONE: ERASED, "user_id:c": STRIPPED})
    cleaned = cleaned_anchor("default", "user_id:ben", row, marks)

    assert cleaned == AnchorRow(
        profile_id="p", seq=SEQ - 1, contested=["device_id:tv"], first_ms=T,
        links={"device_id:tv": link(T)}, aliases={"user_id:c": other},
    )  # fmt: skip
    newer = AnchorRow(seq=SEQ + 1, contested=[PHONE], links={PHONE: link(T + 1)}, first_ms=T)
    assert cleaned_anchor("default", "user_id:ben", newer, marks) is newer
