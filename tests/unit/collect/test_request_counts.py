"""The collector's counts reach the metrics in time for rates to see a first event."""

from connectors.collect.request_counts import RequestCounts
from pipeline.obs.metrics import Metrics


def page(metrics: Metrics) -> str:
    return metrics.expose()[0].decode()


def test_outcomes_of_a_source_start_at_zero_with_its_first_event_and_keep_their_counts() -> None:
    metrics = Metrics()
    counts = RequestCounts(metrics)
    counts.events(3, "shop", "segment", "accepted")
    counts.report()
    labels = 'dialect="segment",outcome="{}",source="shop"'
    for outcome, number in {"accepted": 3, "bot": 0, "sampled": 0, "suppressed": 0, "invalid_field": 0}.items():
        assert f"stitchline_collect_events_total{{{labels.format(outcome)}}} {number}.0" in page(metrics)

    counts.events(2, "shop", "segment", "invalid_field")
    counts.report()
    assert f"stitchline_collect_events_total{{{labels.format('invalid_field')}}} 2.0" in page(metrics)
    assert 'source="blog"' not in page(metrics)
