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


def test_times_of_requests_are_counted_in_their_buckets() -> None:
    metrics = Metrics()
    counts = RequestCounts(metrics)
    for seconds in (0.0, 0.001, 0.0011, 0.3, 99.0):
        counts.answered(200, seconds)
    counts.report()
    counts.answered(503, 0.3)
    counts.report()
    counts.report()

    name = "stitchline_collect_request_seconds"
    lines = page(metrics).splitlines()
    expected = {"0.001": 2, "0.0025": 3, "0.25": 3, "0.5": 5, "5.0": 5, "+Inf": 6}
    for bound, number in expected.items():
        assert f'{name}_bucket{{le="{bound}"}} {number}.0' in lines
    assert f"{name}_count 6.0" in lines
    [total] = [float(line.split()[1]) for line in lines if line.startswith(f"{name}_sum ")]
    assert abs(total - 99.6021) < 1e-9
