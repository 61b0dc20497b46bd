"""What identity took away goes from a profile: its identifiers, its contact and its segments follow.

A moved e-mail, an isolated one, a logged-out device, an inbox behind its firebreak. Through the stages of ``simulate``.
"""

from typing import Any

import msgspec
import pytest

from pipeline.avro.wire import Decoder
from pipeline.identity.rules import IdentityRules, Preset
from pipeline.profile.fold import contact_of
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.segment.rules import SegmentRule, SegmentRules
from pipeline.testing.build import event_json
from pipeline.topics import SEGMENTS
from tests.support.simulated import Story

MAIL = "office@shop.example"
OFFICE = f"email:{MAIL}"
Facts = tuple[set[str], dict[str, str], list[str]]


def rules(preset: Preset = "last-authenticated-owns-device") -> Rules:
    shipped = load_rules()
    segments = (
        SegmentRule(name="mailable", when="identifier.email is known"),
        SegmentRule(name="on_device", when="identifier.device_id is known"),
    )
    identity: IdentityRules = msgspec.structs.replace(shipped.identity, preset=preset)
    return msgspec.structs.replace(shipped, identity=identity, segments=SegmentRules(segments=segments))


def facts(story: Story) -> dict[str, Facts]:
    """Identifiers, contact and segments by the user id of each profile."""
    result: dict[str, Facts] = {}
    lines = story.lines()
    for profile_id, row in story.simulation.profiles():
        profile = msgspec.json.decode(lines[profile_id]) if profile_id in lines else {"identifiers": {}}
        for name in filter(lambda ident: ident.startswith("user_id:"), profile["identifiers"]):
            identifiers = set(profile["identifiers"]) - {name}
            result[name] = (identifiers, contact_of(row.ledgers()), profile["segments"])
    return result


def signs_up(number: int, name: str) -> dict[str, Any]:
    return event_json(number, "", type="identify", userId=name, traits={"email": MAIL})


NOTHING: Facts = (set(), {}, [])
WITH_MAIL: Facts = ({OFFICE}, {"email": MAIL}, ["mailable"])


def test_an_email_that_moves_takes_contact_and_segments_along():
    story = Story(rules()).one_by_one([signs_up(1, "ann")])
    assert facts(story) == {"user_id:ann": WITH_MAIL}
    story.tell(signs_up(2, "bob"))
    assert facts(story) == {"user_id:ann": NOTHING, "user_id:bob": WITH_MAIL}


def test_an_isolated_email_is_in_nobodys_profile():
    story = Story(rules("never-merge-identified")).one_by_one([signs_up(1, "ann"), signs_up(2, "bob")])
    assert facts(story) == {"user_id:ann": NOTHING, "user_id:bob": NOTHING}


def test_a_device_that_was_logged_out_leaves_the_profile_until_the_next_log_in():
    at_home = {"userId": "ann", "identifiers": {"device_id": "d1"}}
    story = Story(rules()).one_by_one([event_json(1, **at_home)])
    with_device: Facts = ({"device_id:d1"}, {}, ["on_device"])
    assert facts(story) == {"user_id:ann": with_device}
    story.tell(event_json(2, "signed_out", **at_home))
    assert facts(story) == {"user_id:ann": NOTHING}
    story.tell(event_json(3, **at_home))
    assert facts(story) == {"user_id:ann": with_device}


@pytest.mark.parametrize("step", [1, 20], ids=["one by one", "at once"])
def test_an_inbox_behind_its_firebreak_leaves_every_profile(step: int):
    people, story = 12, Story(rules())
    events = [signs_up(number, f"u{number}") for number in range(people)]
    for at in range(0, people, step):
        story.tell(*events[at : at + step])
    assert facts(story) == {f"user_id:u{number}": NOTHING for number in range(people)}


def test_the_segment_change_of_the_person_who_lost_it_carries_no_contact():
    story, decode = Story(rules()).one_by_one([signs_up(1, "ann"), signs_up(2, "bob")]), Decoder(SEGMENTS.value)
    newest = {
        change["profile_id"]: change for change in map(decode, (r.value() for r in story.simulation.take(SEGMENTS)))
    }
    assert {
        msgspec.json.decode(line)["anchors"][0]: (newest[pid]["change"], newest[pid]["contact"])
        for pid, line in story.lines().items()
        if msgspec.json.decode(line)["anchors"]
    } == {
        "user_id:ann": ("exited", "{}"),
        "user_id:bob": ("entered", f'{{"email":"{MAIL}"}}'),
    }  # fmt: skip
