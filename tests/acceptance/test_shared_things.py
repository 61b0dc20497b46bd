"""Things that people share merge nobody: links with a click id, and devices behind whose browsers people stand."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.testing.build import event_json
from tests.support.customers import customers, resolved
from tests.support.simulated import Story, decision

VISITORS = 25
TABLET = "device_id:tablet-1"
PHONES = [f"+4917012345{n:02}" for n in range(VISITORS)]
ON_THE_TABLET = [
    event_json(n, "asked", identifiers={"phone": phone, "device_id": "tablet-1"}) for n, phone in enumerate(PHONES)
]
SIGN_UPS = [
    event_json(100 + n, "", type="identify", identifiers={"phone": phone}, traits={"email": f"p{n}@shop.example"})
    for n, phone in enumerate(PHONES)
]


def landing_page() -> dict[str, Any]:
    return {"page": {"url": "https://shop.example/?gclid=c1"}}


@pytest.mark.parametrize("late", [False, True], ids=["tablet first", "sign-ups first"])
def test_a_device_used_with_many_telephone_numbers_merges_none_of_their_people(tmp_path: Path, late: bool) -> None:
    events = SIGN_UPS + ON_THE_TABLET if late else ON_THE_TABLET + SIGN_UPS
    people = sorted([f"email:p{n}@shop.example", f"phone:{phone}"] for n, phone in enumerate(PHONES))
    assert resolved(tmp_path, events) == sorted([*people, [TABLET]])
    assert customers(Story().tell(*events)) == people, "the tablet has no events of its own, so no profile"


def test_a_click_id_identifies_at_most_the_one_device_that_clicked(tmp_path: Path) -> None:
    wanted = [["anonymous_id:a1", "click_id:c1"], *([f"anonymous_id:a{n}"] for n in range(2, 6))]
    for order in ((1, 2, 3, 4, 5), (5, 4, 3, 2, 1)):
        events = [event_json(n, "landed", anonymousId=f"a{n}", context=landing_page()) for n in order]
        assert resolved(tmp_path, events) == wanted
        assert customers(Story().tell(*events)) == wanted


IN_THE_LIBRARY = [
    event_json(n, "browsed", anonymousId=f"b{n}", identifiers={"device_id": "tablet-1"}) for n in range(VISITORS)
]
"""Each visitor of a library gets a browser of their own on one tablet, which is cleared behind them."""
LOG_INS = [event_json(100 + n, "", type="identify", userId=f"v{n}", anonymousId=f"b{n}") for n in range(VISITORS)]


@pytest.mark.parametrize("late", [False, True], ids=["tablet first", "log-ins first"])
@pytest.mark.parametrize("step", [1, 2 * VISITORS], ids=["one by one", "at once"])
def test_a_device_behind_whose_browsers_many_people_stand_belongs_to_none_of_them(
    tmp_path: Path, late: bool, step: int
) -> None:
    events = LOG_INS + IN_THE_LIBRARY if late else IN_THE_LIBRARY + LOG_INS
    wanted = sorted([[TABLET], *([f"anonymous_id:b{n}", f"user_id:v{n}"] for n in range(VISITORS))])
    assert resolved(tmp_path, events) == wanted
    story = Story()
    for at in range(0, len(events), step):
        story.tell(*events[at : at + step])
    assert customers(story) == wanted
    assert [change["identifiers"] for change in story.changes() if change["change"] == "quarantined"] == [[TABLET]]


def test_the_firebreak_of_people_behind_browsers_opens_byte_for_byte_when_a_link_is_taken_back() -> None:
    """Twenty people are as many as the shipped firebreak of devices lets pass; the last log-in is one too many."""
    first, last = IN_THE_LIBRARY + LOG_INS[:20], LOG_INS[20]
    before = Story().tell(*first)
    after = Story().tell(*first).tell(last)
    assert after.lines().items() - before.lines().items(), "the tablet left its last user"
    kept = after.lines()
    after.tell(decision("unlink", "user_id:v20", "anonymous_id:b20"))
    assert before.lines().items() <= after.lines().items()
    assert len(after.lines()) == len(before.lines()) + 1, "and the one whose link was taken back"
    after.tell(decision("link", "user_id:v20", "anonymous_id:b20", 1_900_000_000_000))
    assert {key: line for key, line in after.lines().items() if b"v20" not in line} == {
        key: line for key, line in kept.items() if b"v20" not in line
    }


def test_a_placeholder_that_many_devices_send_isolates_none_of_them(tmp_path: Path) -> None:
    events = [
        event_json(n, "browsed", userId=f"u{n}", anonymousId="fallback", identifiers={"device_id": f"d{n}"})
        for n in range(VISITORS)
    ]
    wanted = sorted([["anonymous_id:fallback"], *([f"device_id:d{n}", f"user_id:u{n}"] for n in range(VISITORS))])
    assert resolved(tmp_path, events) == wanted
    assert customers(Story().tell(*events)) == wanted[1:], "the placeholder has no events of its own, so no profile"


def test_browsers_that_were_seen_on_two_devices_make_neither_of_them_shared(tmp_path: Path) -> None:
    """A cookie that is copied between two telephones does not say which of them its people used."""
    events = IN_THE_LIBRARY + LOG_INS
    events += [
        event_json(200 + n, "browsed", anonymousId=f"b{n}", identifiers={"device_id": "tablet-2"}) for n in range(10)
    ]
    groups = resolved(tmp_path, events)
    assert [TABLET] not in groups
    assert ["device_id:tablet-2"] not in groups
