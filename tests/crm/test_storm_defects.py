"""The storm detects defects: each planted one fails it after few seeds."""

from collections.abc import Callable, Iterable

import pytest

from connectors.crm import runner
from connectors.crm.ledger import Ledger
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.work import Work
from tests.crm.storm import run_storm

ENOUGH_SEEDS = 20
LEADS = 150
Patch = Callable[[pytest.MonkeyPatch], None]


def ledger_keeps_the_first_revision(patch: pytest.MonkeyPatch) -> None:
    apply = Ledger.apply

    def apply_new(ledger: Ledger, rows: Iterable[LedgerRow]) -> None:
        for row in rows:
            if not ledger.of_actions(row.tenant, [row.action_id]):
                apply(ledger, [row])

    patch.setattr(Ledger, "apply", apply_new)


def revision_in_the_crm_is_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Work, "is_overtaken", property(lambda _: False))


def takeover_is_not_noticed_before_a_request(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runner.SinkRunner, "confirm", lambda _: None)


@pytest.mark.parametrize(
    "defect",
    [
        ledger_keeps_the_first_revision,
        revision_in_the_crm_is_not_looked_at,
        takeover_is_not_noticed_before_a_request,
    ],
    ids=lambda defect: defect.__name__,
)
def test_a_storm_fails_with_a_planted_defect(defect: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "POLL_SECONDS", 10.0)
    defect(monkeypatch)
    for seed in range(1, ENOUGH_SEEDS + 1):
        try:
            run_storm("salesforce", seed, LEADS)
        except AssertionError:
            return
    pytest.fail(f"no storm of seeds 1 to {ENOUGH_SEEDS} found the defect")
