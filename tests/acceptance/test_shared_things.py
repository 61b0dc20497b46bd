"""Things that people share merge nobody: links with a click id, and devices behind whose browsers people stand."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.testing.build import event_json
from tests.support.customers import customers, resolved
from tests.support.simulated import Story

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
