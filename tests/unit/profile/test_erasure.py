"""What PROFILE takes of older messages, and what it leaves of rows, after an erasure."""

import msgspec
import pytest

from pipeline.event.erasure import Mark
from pipeline.identity.messages import IdentifierOwnership, Move
from pipeline.identity.profile_id import profile_id
from pipeline.profile.erasure import clean_row, cleaned_ledger, home_of, mentions, newer_part
from pipeline.profile.ledger import Episode, Ledger, encode_ledger
from pipeline.profile.logic import ProfileLogic
from pipeline.profile.messages import Carry
from pipeline.profile.row import ACTIVE, Ownership, ProfileRow, Published
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.testing.build import START_MS, touch
from pipeline.testing.table import MemoryTable
from tests.unit.event.test_erasure import ANN, ERASED, PHONE, SEQ, STRIPPED, Known, T

BEN = "user_id:ben"
HOME, OTHER = profile_id("default", ANN), profile_id("default", BEN)
MARKS = Known({ANN: ERASED, PHONE: ERASED, "device_id:tv": STRIPPED})


def ledger(first_ms: int = T, *idents: str) -> Ledger:
    point = (first_ms, "e", "web", "track", "look", "")
    return Ledger(touches=1, first=point, last=point, identifiers=dict.fromkeys(idents, (first_ms, first_ms)))


def raw(one: Ledger) -> msgspec.Raw:
    return msgspec.Raw(encode_ledger(one))


def test_touches_are_dropped_by_time_and_lose_erased_identifiers():
    seen = touch(ANN, timestamp_ms=T)
    assert newer_part(seen, MARKS) is None
    later = touch(ANN, timestamp_ms=T + 1)
    assert newer_part(later, MARKS) is later
    shared = newer_part(touch(BEN, timestamp_ms=T, identifiers=[BEN, PHONE]), MARKS)
    assert shared.identifiers == [BEN]


def test_moves_and_carries_are_dropped_by_number_and_awaited_ones_still_answer():
    move = Move("default", [ANN, BEN], "p", "q", SEQ)
    assert newer_part(move, MARKS).anchors == [BEN]
    assert newer_part(Move("default", [ANN], "p", "q", SEQ), MARKS) is None
    assert newer_part(Move("default", [ANN], "p", "q", SEQ, awaited=True), MARKS).anchors == []
    later = Move("default", [ANN], "p", "q", SEQ + 1)
    assert newer_part(later, MARKS) is later
    carry = Carry("default", "q", SEQ, {ANN: raw(ledger()), BEN: raw(ledger(T, BEN, PHONE))})
    assert newer_part(carry, MARKS).ledgers == {BEN: raw(ledger(T, BEN))}
    assert newer_part(Carry("default", "q", SEQ, {ANN: raw(ledger())}), MARKS) is None
    assert newer_part(Carry("default", "q", SEQ, {ANN: raw(ledger())}, source="p"), MARKS).ledgers == {}
    assert newer_part(Carry("default", "q", SEQ + 1, {BEN: raw(ledger())}), MARKS).ledgers == {BEN: raw(ledger())}


def test_ownerships_are_dropped_by_number():
    def owned(anchor, seq, decided, *idents):
        return IdentifierOwnership("default", anchor, seq, dict.fromkeys(idents, True), decided)

    assert newer_part(owned(ANN, SEQ, SEQ, BEN), MARKS) is None
    assert newer_part(owned(BEN, SEQ, SEQ, PHONE), MARKS) is None
    assert newer_part(owned(BEN, SEQ, SEQ, PHONE, "device_id:tv"), MARKS).owned == {"device_id:tv": True}
    later = owned(BEN, SEQ + 1, SEQ + 1, PHONE)
    assert newer_part(later, MARKS) is later


def test_anothers_ledger_loses_the_erased_identifiers_and_nothing_else():
    mine = ledger(T, BEN, PHONE)
    mine.identifiers["device_id:tv"] = (T, T)
    mine.identifiers[ANN] = (T - 5, T + 5)
    mine.owned = {PHONE: (SEQ, False), "device_id:tv": (SEQ, True)}
    mine.episodes = {"hot": Episode(1, T, anchor=PHONE), "cold": Episode(1, T)}
    cleaned = cleaned_ledger("default", mine, MARKS)

    assert cleaned.identifiers == {BEN: (T, T), "device_id:tv": (T, T), ANN: (T + 1, T + 5)}
    assert cleaned.owned == {"device_id:tv": (SEQ, True)}
    assert cleaned.episodes == {"hot": Episode(1, T), "cold": Episode(1, T)}
    assert cleaned_ledger("default", cleaned, MARKS) is cleaned


@pytest.mark.parametrize(
    ("place", "pointer", "first_ms", "stays"),
    [
        (HOME, None, T, False), (HOME, None, T + 1, True), (OTHER, None, T + 1, False),
        (OTHER, (SEQ - 1, OTHER), T, False), (OTHER, (SEQ + 1, OTHER), T + 1, True), (HOME, (SEQ, HOME), T + 1, True),
    ],
)  # fmt: skip
def test_a_ledger_stays_if_it_came_after_the_erasure(place, pointer, first_ms, stays):
    row = ProfileRow("default", anchors={ANN: ledger(first_ms)})
    if pointer:
        row.ownership.pointers[ANN] = pointer
    assert mentions(place, row, MARKS) is not stays
    cleaned = clean_row(place, row, MARKS)

    assert (ANN in row.anchors, ANN in cleaned.ledgers) == (stays, not stays)
    assert cleaned.changed is not stays
    assert not mentions(place, row, MARKS)
    assert not mentions(place, ProfileRow("default", anchors={"device_id:tv": ledger()}), MARKS)


def test_pointers_and_awaited_decisions_are_removed_by_number():
    ownership = Ownership(
        {ANN: (SEQ - 1, OTHER), BEN: (SEQ - 1, OTHER)}, OTHER,
        {ANN: {BEN: (SEQ, True)}, BEN: {PHONE: (SEQ, True), ANN: (SEQ + 1, True)}, "user_id:c": {BEN: (1, True)}},
    )  # fmt: skip
    row = ProfileRow("default", ownership=ownership)
    assert mentions(HOME, row, MARKS)
    assert clean_row(HOME, row, MARKS).changed
    assert row.ownership.pointers == {BEN: (SEQ - 1, OTHER)}
    assert row.ownership.awaited == {BEN: {ANN: (SEQ + 1, True)}, "user_id:c": {BEN: (1, True)}}
    awaited = ProfileRow("default", ownership=Ownership(awaited={BEN: {PHONE: (SEQ, True)}}))
    assert mentions(HOME, awaited, MARKS)
    shared = ProfileRow("default", anchors={BEN: ledger(T, BEN, PHONE)})
    assert mentions(OTHER, shared, MARKS)
    assert clean_row(OTHER, shared, MARKS).restated


def test_a_touch_that_followed_an_old_assignment_goes_to_the_anchors_own_profile():
    later, row = touch(ANN, timestamp_ms=T + 1), ProfileRow("default")
    assert home_of(later, OTHER, row, MARKS) == (HOME, SEQ)
    assert home_of(later, HOME, row, MARKS) is None
    assert home_of(touch(BEN), OTHER, row, MARKS) is None
    assert home_of(touch("device_id:tv"), OTHER, row, MARKS) is None
    row.ownership.pointers[ANN] = (SEQ + 3, OTHER)
    assert home_of(later, OTHER, row, MARKS) is None

    logic = ProfileLogic(compiled(load_rules()), MemoryTable(), marks=MARKS)
    applied = logic.apply([(OTHER, later)], 0)
    ((target, forwarded),) = applied.forwards
    assert (target, forwarded.seq) == (HOME, SEQ)
    assert logic.apply([(HOME, forwarded)], 0).changed == {HOME: None}
    assert logic.apply([(HOME, touch(ANN, timestamp_ms=T))], 0).changed == {}


class Timers:
    def __init__(self):
        self.set = []

    def schedule(self, due_ms, name):
        self.set.append((due_ms, name))

    def cancel(self, due_ms, name):
        self.set.remove((due_ms, name))


def test_a_profile_without_anything_left_is_deleted_with_its_timer_and_its_leads():
    table, timers = MemoryTable(), Timers()
    rules = compiled(load_rules())
    names = ("quote_requested", "quote_requested", "checkout_started", "signed_up")
    before = ProfileLogic(rules, table, timers)
    fired = before.on_batch([(HOME, touch(ANN, name=name, event_id=f"e{n}")) for n, name in enumerate(names)], 0)
    assert (len(fired.leads), len(timers.set)) == (1, 1)
    after = ProfileLogic(rules, table, timers, marks=MARKS)
    applied = after.clean([HOME, OTHER], 0)

    assert (applied.erased, table.rows, timers.set) == ([HOME], {}, [])
    (lead,) = applied.decided.leads
    assert (lead.action.kind, lead.action.action_id) == ("erase", fired.leads[0].action.action_id)
    assert (lead.action.identifiers, lead.action.contact, lead.action.timeline) == ([], {}, [])
    assert {change.change for change in applied.decided.segment_changes} <= {"exited"}


def test_a_row_that_still_forwards_others_stays_and_is_published_no_more():
    table = MemoryTable()
    row = ProfileRow("default", anchors={ANN: ledger()}, published=Published(ACTIVE, 3))
    row.ownership = Ownership({BEN: (1, OTHER)}, OTHER)
    table.put(HOME, row)
    applied = ProfileLogic(compiled(load_rules()), table, marks=MARKS).clean([HOME], 0)

    assert applied.erased == [HOME]
    assert table.get(HOME).ownership.pointers == {BEN: (1, OTHER)}
    table.put(OTHER, ProfileRow("default", anchors={BEN: ledger(T, BEN, PHONE)}))
    applied = ProfileLogic(compiled(load_rules()), table, marks=MARKS).on_time([(5, OTHER)], START_MS)
    assert table.get(OTHER).anchors[BEN].identifiers == {BEN: (T, T)}
    assert applied.changed == {OTHER: None}
    unpublished = ProfileRow("default", anchors={ANN: ledger()})
    table.put(HOME, unpublished)
    assert ProfileLogic(compiled(load_rules()), table, marks=MARKS).clean([HOME], 0).erased == []
    assert Mark().erased_seq < 0
