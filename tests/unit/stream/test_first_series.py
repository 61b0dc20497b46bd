"""Every counter that an alert takes an increase of is there before its first event."""

import re
from pathlib import Path

import yaml

from pipeline.obs import metrics as m
from pipeline.rules.load import load_rules
from pipeline.stream.build import STAGES
from pipeline.stream.first_series import start_series

READER_COUNTERS = {m.CRM_GAPS.name}
"""Counters of ``stitchline crm pull``: tests/crm/test_way_back.py."""
ALERTS = Path(__file__).parents[3] / "deploy/prometheus/alerts.yml"


def page(*stages: str) -> str:
    metrics = m.Metrics()
    start_series(metrics, stages, load_rules())
    return metrics.expose()[0].decode()


def test_every_counter_of_an_alert_has_a_series_at_the_start_with_the_labels_it_selects() -> None:
    text = page(*STAGES)
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    queries = " ".join(rule["expr"] for group in groups for rule in group["rules"])
    for name, _, selected in re.findall(r"increase\((\w+)(\{([^}]*)\})?", queries):
        if name in READER_COUNTERS:
            continue
        labels = dict(re.findall(r'(\w+)="([^"]*)"', selected))
        lines = [line for line in text.splitlines() if re.match(rf"{name}[ {{]", line)]
        assert lines, name
        assert any(all(f'{key}="{value}"' in line for key, value in labels.items()) for line in lines), (name, labels)


def test_series_start_at_zero_and_only_for_the_stages_of_the_worker() -> None:
    text = page("route")
    assert 'stitchline_leads_routed_total{reason="no_available_rep",route=""} 0.0' in text
    assert "stitchline_firebreaks_total{" not in text
    assert 'stitchline_firebreaks_total{type="email"} 0.0' in page("stitch")
    assert 'stitchline_results_total{reason="duplicate",result="drop",stage="intake"} 0.0' in page("intake")
    assert 'stitchline_restore_seconds_count{stage="intake"} 0.0' in page("intake")
    assert "stitchline_results_total{" not in page("profile")
