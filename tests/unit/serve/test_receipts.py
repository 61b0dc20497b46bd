"""The search behind erasures goes on whatever happens to one of them."""

from typing import Any

import pytest

from pipeline.privacy.person import Person
from pipeline.serve import receipts
from pipeline.serve.model.store import Store
from pipeline.serve.receipts import Receipts
from tests.support.waiting import eventually

NOW_MS = 1_772_366_400_000


class Persons:
    """Every erasure is complete at once. The search behind the first one has a defect."""

    def __init__(self) -> None:
        self.sent = 0

    def send(self, *_: object) -> str:
        self.sent += 1
        return f"decision/{self.sent}"

    def progress(self, _tenant: str, request: str) -> Any:
        return type("Progress", (), {"is_complete": True, "request": request})

    def receipt(self, _person: Person, progress: Any) -> dict[str, Any]:
        if progress.request == "decision/1":
            raise ZeroDivisionError
        return {"complete": True}


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_a_defect_in_one_search_leaves_the_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "FIRST_POLL_SECONDS", 0.01)
    made = Receipts(store, Persons(), lambda: NOW_MS)  # type: ignore[arg-type]
    ada, ben = (Person.of("default", [f"user_id:{name}"]) for name in ("ada", "ben"))
    first, second = made.send("erase", ada, "user x", "ticket"), made.send("erase", ben, "user x", "ticket")
    eventually(lambda: not made.is_searching(second), "the second erasure has its receipt")
    made.close()
    assert made.is_searching(first)
    found = made.one("default", second)
    assert found is not None
    assert found.receipt == {"complete": True}
