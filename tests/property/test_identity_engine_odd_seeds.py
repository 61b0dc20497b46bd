"""The other half of the histories of ``test_identity_engine.py``: test processes take whole files."""

import pytest

from tests.support.identity_histories import PARTS, check_part


@pytest.mark.parametrize("part", range(1, PARTS, 2))
def test_engine_equals_the_pure_function_over_every_other_history(monkeypatch: pytest.MonkeyPatch, part: int):
    check_part(monkeypatch, part)
