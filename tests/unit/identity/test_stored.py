"""Links and decisions read back from STITCH's rows."""

from typing import Any

from pipeline.identity.decisions import Decisions
from pipeline.identity.messages import Command, Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.resolve import resolve
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.identity.state import FOREVER, StitchTables
from pipeline.identity.stitch import Stitcher
from pipeline.identity.stored import stored
from pipeline.testing import build
from pipeline.testing.table import MemoryTable


def rules(*names: str) -> IdentityRules:
    """Types from the strongest to the weakest; ``user`` names people."""
    return IdentityRules(
        types=[IdentityType(name=name, priority=rank, strong=name == "user") for rank, name in enumerate(names)]
    )


RULES = rules("user", "mail", "dev")


def link(a: str, b: str, at_ms: int, **fields: Any) -> Link:
    return build.link(a, b, at_ms, tenant="t", event_id=f"web/{at_ms}", **fields)


def command(kind: Any, a: str, b: str, at_ms: int) -> Command:
    return Command("t", kind, a, b, "ann", "test", at_ms, f"command/{at_ms}")


LINKS = [link("user:1", "dev:1", 10), link("mail:1", "dev:1", 20, anchor_first_ms=5), link("user:2", "mail:2", 30)]


def read_back(*commands: Command, under: IdentityRules = RULES) -> tuple[list[Link], Decisions]:
    tables = StitchTables(MemoryTable(), MemoryTable())
    Stitcher("t", RULES, tables).on_links([*LINKS, *commands], 99)
    links, decisions = stored("t", tables.nodes.rows.items(), IdentityPolicy(under))
    return sorted(links, key=lambda item: item.first_seen_ms), decisions


def test_every_link_is_read_back_with_its_first_sightings() -> None:
    links, decisions = read_back()
    assert [(item.anchor, item.other, item.first_seen_ms, item.count) for item in links] == [
        ("user:1", "dev:1", 10, 1), ("mail:1", "dev:1", 20, 1), ("user:2", "mail:2", 30, 1),
    ]  # fmt: skip
    assert links[1].anchor_first_ms == 5
    assert decisions == Decisions()


def test_an_unlinked_pair_is_read_back_as_ended_for_good() -> None:
    links, decisions = read_back(command("unlink", "user:1", "dev:1", 50))
    assert decisions.ended_ms == {("user:1", "dev:1"): FOREVER}
    assert len(links) == len(LINKS)
    resolution = resolve(links, IdentityPolicy(RULES), decisions)
    assert resolution.founder_of["user:1"] != resolution.founder_of.get("dev:1")


def test_a_decision_about_a_pair_holds_under_rules_that_reverse_its_ends() -> None:
    _, decisions = read_back(command("unlink", "user:2", "mail:2", 50), under=rules("mail", "user", "dev"))
    assert decisions.ended_ms == {("mail:2", "user:2"): FOREVER}


def test_a_logout_is_read_back_with_its_time() -> None:
    _, decisions = read_back(command("logout", "user:1", "dev:1", 40))
    assert decisions.ended_ms[("user:1", "dev:1")] == 40
    assert decisions.first_logout_ms == {"dev:1": 40}


def test_suppressed_identifiers_are_read_back() -> None:
    _, decisions = read_back(command("suppress", "dev:1", "", 40))
    assert (decisions.suppressed, decisions.trusted) == ({"dev:1"}, set())
