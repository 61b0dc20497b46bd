"""The other half of the histories of ``test_identity_engine.py``: test processes take whole files."""

import pytest

from tests.support.identity_histories import check_all


def test_engine_equals_the_pure_function_over_every_other_history(monkeypatch: pytest.MonkeyPatch):
    check_all(monkeypatch, part=1, parts=2)
