"""Names by claim in stories: whose a profile id is after log-ins, log-outs and shared devices, by the engine."""

from pipeline.identity.claims import APART
from pipeline.identity.messages import Command, Link
from pipeline.identity.profile_id import profile_id
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.identity.state import StitchTables
from pipeline.identity.stitch import Stitcher
from pipeline.testing.table import MemoryTable

RULES = IdentityRules(
    types=[
        IdentityType(name="user", priority=1, strong=True, limits=["1 ever"]),
        IdentityType(name="mail", priority=2, strong=True, limits=["2 ever"]),
        IdentityType(name="anon", priority=3),
        IdentityType(name="click", priority=4, exclusive=True),
    ]
)


class People:
    """An engine that gets one event after another, as from INTAKE."""

    def __init__(self) -> None:
        self.engine = Stitcher("t", RULES, StitchTables(MemoryTable(), MemoryTable()))
        self._at_ms = 0
        self._first_ms: dict[str, int] = {}

    def seen(self, anchor: str, *others: str) -> "People":
        self._at_ms += 1
        first_ms = self._first_ms.setdefault(anchor, self._at_ms)
        links = [
            Link("t", anchor, other, self._at_ms, self._at_ms, 1, "web", f"web/{self._at_ms}", anchor_first_ms=first_ms)
            for other in others
        ]
        self.engine.on_links(links, 0)
        return self

    def decide(self, kind: str, a: str, b: str = "") -> "People":
        self._at_ms += 1
        self.engine.on_links([Command("t", kind, a, b, "ann", "because", self._at_ms)], 0)
        return self

    def founder(self, ident: str) -> str:
        known = {profile_id("t", name): name for name in (*NAMES, *(APART + name for name in NAMES))}
        return known[self.engine.profile_of(ident)]


NAMES = ("user:ann", "user:bob", "mail:ann", "mail:bob", "anon:1", "anon:2", "click:1")


def test_the_anonymous_profile_keeps_its_id_at_the_first_log_in():
    assert People().seen("anon:1").seen("user:ann", "anon:1").founder("user:ann") == "anon:1"


def test_a_known_person_keeps_their_profile_id():
    assert People().seen("user:ann").seen("anon:1").seen("user:ann", "anon:1").founder("anon:1") == "user:ann"


def test_a_shared_browser_that_moves_on_takes_no_id_along():
    people = People().seen("anon:1", "click:1").seen("user:ann", "anon:1").seen("user:bob", "anon:1")
    assert people.founder("user:ann") == "click:1"
    assert people.founder("user:bob") == people.founder("anon:1") == "user:bob"


def test_a_newsletter_address_before_the_log_in_changes_nothing_about_that():
    people = People().seen("anon:1").seen("mail:ann", "anon:1").seen("user:ann", "anon:1")
    assert people.founder("user:ann") == "anon:1"
    people.seen("user:bob", "anon:1")
    assert people.founder("user:bob") == "user:bob"


def test_after_a_log_out_the_browser_gets_a_profile_set_apart_and_the_person_keeps_the_id():
    people = People().seen("anon:1").seen("user:ann", "anon:1").decide("logout", "anon:1")
    assert (people.founder("user:ann"), people.founder("anon:1")) == ("anon:1", "~anon:1")
    people.seen("user:bob", "anon:1")
    assert (people.founder("user:ann"), people.founder("user:bob")) == ("anon:1", "user:bob")


def test_after_an_unlink_both_have_the_ids_of_a_run_that_never_saw_the_link():
    people = People().seen("anon:1").seen("user:ann", "anon:1").decide("unlink", "user:ann", "anon:1")
    assert (people.founder("user:ann"), people.founder("anon:1")) == ("user:ann", "anon:1")


def test_a_log_out_of_the_browser_alone_ends_every_persons_link():
    people = People().seen("user:ann", "anon:1").seen("user:bob", "anon:1").decide("logout", "anon:1")
    assert len({people.engine.profile_of(ident) for ident in ("anon:1", "user:ann", "user:bob")}) == 3
    people.seen("user:ann", "anon:1")
    assert people.engine.profile_of("anon:1") == people.engine.profile_of("user:ann")


def test_visitors_of_a_shared_link_remain_separate_customers():
    people = People().seen("anon:1", "click:1").seen("anon:2", "click:1")
    people.seen("mail:ann", "anon:1").seen("mail:bob", "anon:2")
    assert people.engine.profile_of("mail:ann") != people.engine.profile_of("mail:bob")
    assert people.engine.profile_of("click:1") == people.engine.profile_of("mail:ann")
