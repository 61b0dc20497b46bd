"""A broker that is killed and started again in the middle of a delivery to a CRM: one object per lead."""

from pathlib import Path

import pytest

from tests.bench.crm_kafka_restart import LEADS, restart

pytestmark = pytest.mark.kafka


def test_a_killed_broker_delays_a_delivery_and_repeats_nothing(tmp_path: Path) -> None:
    result = restart(tmp_path, away_seconds=0)

    assert result.before < LEADS
    assert (result.objects, result.leads, result.notes) == (LEADS, LEADS, LEADS)
    assert (result.left["delivered"], result.left["quarantined"]) == (0, 0)
