"""The one list of metrics, and the object that fills it."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.obs import metrics as m


def test_metric_names_contain_their_unit_and_are_unique() -> None:
    names = [definition.name for definition in m.DEFINITIONS]
    assert len(set(names)) == len(names)
    for definition in m.DEFINITIONS:
        assert re.fullmatch(r"stitchline(_[a-z]+)+", definition.name)
        assert definition.help.endswith((".", "…"))
        assert definition.name.endswith("_total") == isinstance(definition, m.Counter)


def test_no_label_can_carry_a_customer() -> None:
    allowed = {
        "worker", "stages", "version", "stage", "topic", "partition", "result", "reason", "kind", "cause", "table",
        "outcome", "type", "what", "segment", "change", "trigger", "route",
        "status", "source", "dialect", "sink", "connection", "stream",
    }  # fmt: skip
    assert {label for definition in m.DEFINITIONS for label in definition.labels} <= allowed


def test_counters_add_gauges_set_and_histograms_count() -> None:
    metrics = m.Metrics()
    metrics.add(m.RECORDS_CONSUMED, 3, "intake", "events.web.v1")
    metrics.add(m.RECORDS_CONSUMED, 4, "intake", "events.web.v1")
    metrics.set(m.LAG, 9, "intake", "events.web.v1", "0")
    metrics.set(m.LAG, 5, "intake", "events.web.v1", "0")
    metrics.observe(m.COMMIT_SECONDS, 0.02)
    assert metrics.value(m.RECORDS_CONSUMED, "intake", "events.web.v1") == 7
    assert metrics.value(m.LAG, "intake", "events.web.v1", "0") == 5
    assert metrics.value(m.COMMIT_SECONDS) == 1
    assert metrics.value(m.MERGES) == 0


def test_two_sets_of_metrics_in_one_process_do_not_share_values() -> None:
    first, second = m.Metrics(), m.Metrics()
    first.add(m.MERGES, 1)
    assert second.value(m.MERGES) == 0


def test_a_gauge_that_a_process_does_not_set_is_not_on_its_page_and_enters_no_minimum() -> None:
    metrics = m.Metrics()
    assert not re.search(r"^stitchline_serve_age_seconds ", metrics.expose()[0].decode(), re.MULTILINE)
    metrics.set(m.SERVE_AGE, 61)
    metrics.set(m.SERVE_AGE, 62)
    assert re.search(r"^stitchline_serve_age_seconds 62\.0$", metrics.expose()[0].decode(), re.MULTILINE)


def test_a_histogram_can_be_there_before_its_first_observation() -> None:
    metrics = m.Metrics()
    metrics.start(m.RESTORE_SECONDS, "profile")
    assert 'stitchline_restore_seconds_count{stage="profile"} 0.0' in metrics.expose()[0].decode()
    metrics.observe(m.RESTORE_SECONDS, 0.1, "profile")
    assert metrics.value(m.RESTORE_SECONDS, "profile") == 1


def test_a_wrong_number_of_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="label"):
        m.Metrics().add(m.RECORDS_CONSUMED, 1, "intake")


def test_the_lag_of_a_partition_that_went_elsewhere_is_forgotten() -> None:
    metrics = m.Metrics()
    metrics.set(m.LAG, 9, "intake", "events.web.v1", "0")
    metrics.forget(m.LAG, "intake", "events.web.v1", "0")
    metrics.forget(m.LAG, "intake", "events.web.v1", "1")
    assert "partition=" not in metrics.expose()[0].decode()


def test_the_page_is_what_prometheus_reads() -> None:
    metrics = m.Metrics()
    metrics.add(m.DLQ_RECORDS, 2, "intake", "undecodable")
    body, content_type = metrics.expose()
    assert content_type.startswith("text/plain")
    samples = {
        sample.name: sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples
    }
    assert samples["stitchline_dlq_records_total"].value == 2
    assert samples["stitchline_dlq_records_total"].labels == {"stage": "intake", "reason": "undecodable"}
    assert "stitchline_commit_seconds_bucket" in samples


def test_every_exposed_series_is_a_name_that_dashboards_may_use() -> None:
    metrics = m.Metrics()
    page = metrics.expose()[0].decode()
    exposed = set(re.findall(r"^(stitchline_\w+)", page, flags=re.MULTILINE))
    assert {name for name in exposed if not name.endswith("_created")} <= m.series_names()
