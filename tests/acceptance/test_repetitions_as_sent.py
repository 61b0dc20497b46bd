"""A duplicate is a duplicate, however late a repetition comes. Through ``simulate``."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.testing.build import START_MS, event_json
from tests.support.as_sent import simulate, simulate_files

DAY_MS = 86_400_000


def order(day: float, message_id: str = "order") -> dict[str, Any]:
    sent = event_json(1, "order_completed", userId="ann", properties={"revenue": 100})
    return sent | {"messageId": message_id, "timestamp": START_MS + int(day * DAY_MS)}


@pytest.mark.parametrize("days", [0, 1, 10, 100, 399])
def test_an_order_sent_again_unchanged_is_one_order_however_late(tmp_path: Path, days: int) -> None:
    later = event_json(2, userId="ann") | {"timestamp": START_MS + days * DAY_MS}
    assert simulate(tmp_path, [order(0), later, order(0)]).number("orders") == 1


@pytest.mark.parametrize(("apart", "orders"), [(0.5, 1), (1, 1), (3, 2)])
def test_an_id_used_again_three_windows_later_is_another_event(tmp_path: Path, apart: float, orders: int) -> None:
    assert simulate(tmp_path, [order(0), order(apart)]).number("orders") == orders


def test_a_log_file_that_grows_by_a_line_and_is_read_daily_counts_each_line_once(tmp_path: Path) -> None:
    lines = [json.dumps({k: v for k, v in order(day).items() if k != "messageId"}) for day in range(12)]
    files = []
    for day in range(12):
        folder = tmp_path / str(day)
        folder.mkdir()
        files.append(folder / "orders.ndjson")
        files[-1].write_text("\n".join(lines[: day + 1]) + "\n", encoding="utf-8")
    assert simulate_files(tmp_path, files).number("orders") == 12
