"""Attribution counts arrivals, whatever repeats them. Through ``simulate``."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.testing.build import event_json
from tests.support.as_sent import Outcome, simulate

HOME = "https://shop.example/"


def page(number: int, url: str = HOME, referrer: str = "", **fields: Any) -> dict[str, Any]:
    properties = {"url": url} | ({"referrer": referrer} if referrer else {})
    return event_json(number, type="page", userId="ann", properties=properties, **fields)


def bought(number: int) -> dict[str, Any]:
    return event_json(number, "order_completed", userId="ann", properties={"revenue": 100})


def touches(outcome: Outcome) -> list[tuple[str, str]]:
    """Campaign and source of each touch that led to the order."""
    (conversion,) = outcome.profile["attribution"]
    return [(touch["campaign"], touch["source"]) for touch in conversion["journey"]]


@pytest.mark.parametrize(
    ("url", "touch"),
    [
        (f"{HOME}?utm_source=news", ("", "news")),
        (f"{HOME}?utm_source=news&utm_campaign=spring", ("spring", "news")),
        (f"{HOME}#utm_source=news&utm_campaign=spring", ("spring", "news")),
        (f"{HOME}#/shoes?utm_source=news&utm_campaign=spring", ("spring", "news")),
    ],
)
def test_a_source_alone_is_a_touch_and_a_fragment_is_read(tmp_path: Path, url: str, touch: tuple[str, str]) -> None:
    assert touches(simulate(tmp_path, [page(1, url), bought(2)])) == [touch]


def test_one_referrer_on_all_pages_of_a_visit_is_one_touch(tmp_path: Path) -> None:
    visit = [page(n, HOME, "https://search.example/") for n in (0, 1, 29, 31, 61)]
    assert touches(simulate(tmp_path, [*visit, bought(70)])) == [("", "search.example")]


def test_parameters_repeated_on_every_event_of_a_landing_page_are_one_touch(tmp_path: Path) -> None:
    landing = {"page": {"url": f"{HOME}?utm_source=News&utm_campaign=Spring", "referrer": "https://search.example/"}}
    seen = [event_json(n, name, userId="ann", context=landing) for n, name in enumerate(["a", "b", "c"])]
    later = page(4, HOME, "https://search.example/")
    again = event_json(5, userId="ann", context={"campaign": {"name": "SPRING", "source": "news"}})
    for order in ([*seen, later, again], [again, later, *seen[::-1]]):
        assert touches(simulate(tmp_path, [*order, bought(9)])) == [("Spring", "News")]


def test_the_next_visit_and_another_campaign_are_touches_of_their_own(tmp_path: Path) -> None:
    urls = [f"{HOME}?utm_source=news&utm_campaign={name}" for name in ("a", "b")]
    sent = [page(0, urls[0]), page(1, urls[1]), page(180, urls[0]), bought(200)]
    assert touches(simulate(tmp_path, sent)) == [("a", "news"), ("b", "news"), ("a", "news")]
