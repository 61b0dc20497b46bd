"""The benchmark's own parts: the peers' job finds the truth, copies are other customers, reports show what there is."""

import xml.etree.ElementTree as ET

from pipeline.identity.profile_id import profile_id
from tests.bench.core import encoded
from tests.bench.engines import job
from tests.bench.engines.peers import customers_of
from tests.bench.hop_floor import HopFloor
from tests.bench.latency import Latency
from tests.bench.plot import Chart, svg
from tests.bench.report import Report
from tests.bench.scale import TEMPLATES, AtScale, Copier
from tests.bench.throughput import Figures
from tests.bench.workloads import CLICKSTREAM, LIVE, live, truth_of

NOW_MS = 1_800_000_000_000


def test_the_job_of_the_peers_finds_the_truth_about_each_customer() -> None:
    documents = list(live(2_000, 60))
    profiles: dict[str, dict] = {}
    seen, leads, max_ms = set(), {}, max(document["timestamp"] for document in documents)
    for record in encoded(documents, LIVE.rules):
        event = job.checked(job.decode(record.value), max_ms)
        assert event is not None
        if job.message_id(event) not in seen:
            seen.add(job.message_id(event))
            if job.apply(profiles.setdefault(record.key, job.new_profile()), event):
                leads[record.key.encode()] = b'{"user": "%s"}' % record.key.encode()
    updates = {
        key.encode(): job.json.dumps(job.update_of(key, profile, NOW_MS)).encode() for key, profile in profiles.items()
    }
    truth = truth_of(iter(documents))
    assert customers_of(updates, leads) == truth
    assert {customer.is_lead for customer in truth.values()} == {True, False}
    assert sum(customer.events for customer in truth.values()) == 2_000 < len(documents)


def test_a_window_of_the_peers_holds_what_is_young_enough() -> None:
    profile = job.new_profile()
    event = {"event": "product_viewed", "source": "web", "message_id": "m", "identifiers": [], "properties": {}}
    for days in (0, 2, 20, 60):
        job.apply(profile, {**event, "timestamp_ms": NOW_MS - days * job.DAY_MS})
    update = job.update_of("u", profile, NOW_MS)
    windows = update["aggregates"]["events"]
    assert update["segment_changes"] == []
    assert windows == {"lifetime": 4, "last_1h": 1, "last_24h": 1, "last_7d": 2, "last_30d": 3, "last_90d": 4}


def test_every_visit_of_the_clickstream_ends_with_a_log_in() -> None:
    documents = list(CLICKSTREAM.documents(3_000, 50))
    log_ins = [document for document in documents if document["event"] == "signed_in"]
    assert len(documents) == 3_000
    assert len({document["userId"] for document in log_ins}) == len(log_ins) > 400


def test_a_copied_changelog_record_is_of_another_customer() -> None:
    old, new = (profile_id("default", f"user_id:u{number:07d}").encode() for number in (3, 3 + 2 * TEMPLATES))
    copied = Copier().copied(b"profiles/" + old + b"\xa8u0000003\xa8b0000003" + b"f" * 36, 2)
    number = b"%07d" % (3 + 2 * TEMPLATES)
    assert copied == b"profiles/" + new + b"\xa8u" + number + b"\xa8b" + number + b"f" * 36
    assert Copier().copied(b"profiles/" + old, 0) == b"profiles/" + old


def test_a_report_shows_what_was_measured_and_what_was_not() -> None:
    figures = [Figures(8_000, 12.5, 700), Figures(9_000, 11.5, 710), Figures(1_000, 14.0, 720)]
    report = Report(
        facts={"machine": "a & b"}, engines={"stitchline": figures},
        latencies=[Latency(0.5, 4_000, 300, 150, 300, 400)], commit_interval_ms=150,
        hop_floors=[HopFloor(3, 900, 30, 45)],
        scale=[AtScale(10_000, 130.0, 250_000, 20_000_000, 15_000_000, 500)], failures=["quix: no answer"],
    )  # fmt: skip
    text = report.markdown()
    assert "| live | 8,000 (8,000, 9,000, 1,000) | 12.5 | 720 |" in text
    assert "| 50% (4,000 events/s) | 150 ms | 300 ms | 1.0 | 2.0 | 300 |" in text
    assert "| floor: 3 bare transactions, one record at a time | 30 ms | 45 ms | 0.2 | 0.3 | 900 |" in text
    assert "| 10,000 | 130 | 250,000 | 2,000 | 1,500 | 500 |" in text
    assert "NOT MEASURED: quix: no answer" in text
    assert "clickstream" not in text


def test_the_plot_is_valid_and_scales_its_bars_to_the_largest() -> None:
    root = ET.fromstring(svg([Chart("a < b", [("one", 100.0), ("two & more", 50.0)]), Chart("empty", [])]))
    lengths = [int(bar.attrib["width"]) for bar in root.iter("{http://www.w3.org/2000/svg}rect") if "x" in bar.attrib]
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert lengths[0] == 2 * lengths[1]
    assert texts == ["a < b", "one", "100", "two & more", "50"]
