"""The definitions of all metrics, which the code, dashboards, alerts and docs read.

>>> metrics = Metrics()
>>> metrics.add(RECORDS_CONSUMED, 400, "intake", "events.web.v1")
>>> metrics.set(LAG, 12, "intake", "events.web.v1", "0")
>>> metrics.value(RECORDS_CONSUMED, "intake", "events.web.v1")
400.0

Label values are few by construction: stages, topics without the deployment's prefix, partitions, reasons, rule names.
Never a customer, an identifier or a message id.
"""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import prometheus_client as prometheus
from prometheus_client.exposition import choose_encoder

FAST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SLOW_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
RECORD_COUNTS: Final = (1.0, 10.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0, 20_000.0)


class Definition(msgspec.Struct, frozen=True):
    """A metric: its name, help text, and labels in the order of their values."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


class Counter(Definition, frozen=True):
    """A value that only rises; query it with ``rate()``. Its name ends in ``_total``."""


class Gauge(Definition, frozen=True):
    """A value that is set and may rise or fall."""


class Histogram(Definition, frozen=True):
    """A distribution: ``_bucket``, ``_sum`` and ``_count`` series."""

    buckets: tuple[float, ...] = FAST_SECONDS


# The worker
WORKER = Gauge("stitchline_worker_info", "Always 1; the labels describe the worker.", ("worker", "stages", "version"))
RULES = Gauge("stitchline_rules_info", "Always 1; the label is the version of the rules in force.", ("version",))
READY = Gauge("stitchline_ready", "1 while every assigned partition is restored and being processed, else 0.")
PARTITIONS = Gauge("stitchline_assigned_partitions", "Partitions this worker holds.", ("stage",))
REBALANCES = Counter("stitchline_rebalances_total", "Times the consumer group gave this worker a new assignment.")
LAG = Gauge(
    "stitchline_lag_records", "Records in the topic that are not yet committed.", ("stage", "topic", "partition")
)  # fmt: skip
HELD = Gauge(
    "stitchline_held_records",
    "Records in state that wait behind watermarks. A replay is complete once this and the lag are 0 everywhere.",
    ("stage", "partition"),
)
OLDEST_WAITING_SECONDS = Gauge(
    "stitchline_oldest_waiting_seconds",
    "Time since the partition's oldest uncommitted record was first seen waiting.",
    ("stage", "topic", "partition"),
)
STABLE_OFFSET_STUCK = Gauge(
    "stitchline_stable_offset_stuck_seconds",
    "Time for which the last stable offset has not moved below the high watermark: a long or hanging transaction.",
    ("stage", "topic", "partition"),
)
BROKERS_AWAY = Gauge("stitchline_brokers_away_seconds", "Time since which no broker answers; 0 while one does.")
SOURCE_STOPPED = Gauge(
    "stitchline_source_stopped", "1 while the loss breaker has stopped a topic on this worker.", ("stage", "topic")
)

# Batches and results
RECORDS_CONSUMED = Counter("stitchline_records_consumed_total", "Records taken from a topic.", ("stage", "topic"))
RECORDS_PRODUCED = Counter("stitchline_records_produced_total", "Records committed, without changelogs.", ("topic",))
BATCH_RECORDS = Histogram("stitchline_batch_records", "Records in a batch.", ("stage",), RECORD_COUNTS)
BATCH_SECONDS = Histogram("stitchline_batch_seconds", "Time to process a batch, without its commit.", ("stage",))
RESULTS = Counter(
    "stitchline_results_total",
    "Outcome of each record: ok, drop, dead_letter or redirect, with the reason where there is one.",
    ("stage", "result", "reason"),
)
DLQ_RECORDS = Counter("stitchline_dlq_records_total", "Records quarantined byte-identical.", ("stage", "reason"))
POISON_SHARE = Gauge(
    "stitchline_poison_share", "Share of bad records, 0 to 1, as the loss breaker counts them.", ("stage",)
)
DELAY_SECONDS = Histogram(
    "stitchline_delay_seconds",
    "Time from the timestamp of a transaction's oldest record to its commit, once per stage and transaction.",
    ("stage",),
    SLOW_SECONDS,
)

# Transactions and state
COMMITS = Counter("stitchline_commits_total", "Kafka transactions committed.")
COMMIT_SECONDS = Histogram("stitchline_commit_seconds", "Time to flush and commit a transaction and write its state.")
COMMIT_RECORDS = Histogram("stitchline_commit_records", "Consumed records in a transaction.", (), RECORD_COUNTS)
COMMIT_FAILURES = Counter(
    "stitchline_commit_failures_total",
    "Refused commits: retriable (repeated), fenced (another worker has taken over), aborted, fatal (worker ends).",
    ("kind",),
)
ABORTS = Counter("stitchline_aborts_total", "Aborted transactions; their records are read again.", ("cause",))
RESTORE_ROWS = Counter("stitchline_restore_rows_total", "Changelog records applied while restoring state.", ("stage",))
RESTORE_SECONDS = Histogram("stitchline_restore_seconds", "Time to restore a partition.", ("stage",), SLOW_SECONDS)
RESTORING = Gauge("stitchline_restoring_partitions", "Partitions whose state is being restored.", ("stage",))
CACHE_MISSES = Counter(
    "stitchline_cache_misses_total", "Rows read from RocksDB because they were not in memory.", ("table",)
)
CACHED_ROWS = Gauge("stitchline_cached_rows", "Decoded rows in memory.", ("table",))
STATE_WRITES = Counter("stitchline_state_writes_total", "Rows written to RocksDB after a commit.", ("table",))

# Identity
IDENTITY_CHANGES = Counter(
    "stitchline_identity_changes_total", "Entries of the public log: merged, split, refused, evicted…", ("kind",)
)  # fmt: skip
MERGES = Counter("stitchline_merges_total", "Profiles merged into an older profile.")
FIREBREAKS = Counter(
    "stitchline_firebreaks_total", "Identifiers that stopped linking: too many strong partners.", ("type",)
)
MOVES = Counter("stitchline_moves_total", "Ledgers moved to another profile.")

# Profile
PROFILES_UPDATED = Counter("stitchline_profiles_updated_total", "Profiles published, once per profile and batch.")
FORWARDED = Counter("stitchline_forwarded_total", "Touches and ledgers forwarded along anchor pointers.", ("what",))
SEGMENT_CHANGES = Counter(
    "stitchline_segment_changes_total", "Profiles that entered or left a segment.", ("segment", "change")
)
ACTIONS = Counter("stitchline_actions_total", "CRM actions produced.", ("trigger",))
TIMERS = Counter("stitchline_timers_total", "Timers fired.")
TIMER_DELAY_SECONDS = Histogram("stitchline_timer_delay_seconds", "Delay of a tick's first timer.", (), SLOW_SECONDS)

# Routing
LEADS_ROUTED = Counter(
    "stitchline_leads_routed_total",
    "CRM actions by deciding step: existing_owner, account_owner, route (with its name), catch_all, no_available_rep…",
    ("reason", "route"),
)

# The collector
COLLECT_REQUESTS = Counter("stitchline_collect_requests_total", "HTTP requests by status of the answer.", ("status",))
COLLECT_REQUEST_SECONDS = Histogram(
    "stitchline_collect_request_seconds", "Time from a request's head to its answer.", (), FAST_SECONDS
)
COLLECT_EVENTS = Counter(
    "stitchline_collect_events_total",
    "Events by outcome: accepted, bot, sampled or ignored (dropped), or the reason of the quarantine.",
    ("source", "dialect", "outcome"),
)
COLLECT_SPOOLED = Counter("stitchline_collect_spooled_total", "Records written to the spool.")
COLLECT_DRAINED = Counter("stitchline_collect_drained_total", "Records sent from the spool to Kafka.")
COLLECT_SPOOL_BYTES = Gauge("stitchline_collect_spool_bytes", "Bytes in the spool; 0 while Kafka takes everything.")
COLLECT_REFUSED = Counter(
    "stitchline_collect_refused_total", "Spooled records that Kafka refused for good; they are in refused.frames."
)
COLLECT_CONNECTIONS = Gauge("stitchline_collect_connections", "Open connections.")
COLLECT_CUT = Counter("stitchline_collect_cut_total", "Connections cut off, by cause.", ("cause",))

# CRM sinks
CRM_OUTCOMES = Counter(
    "stitchline_crm_outcomes_total",
    "Outcomes of deliveries to a CRM: delivered, superseded (no delivery needed), retried, paused, refused or review.",
    ("sink", "outcome"),
)
CRM_OPEN = Gauge("stitchline_crm_open_actions", "Actions read and not settled.", ("sink",))
CRM_PAUSED_SECONDS = Gauge("stitchline_crm_paused_seconds", "Length of the sink's pause, 0 without one.", ("sink",))
CRM_LEDGER_ROWS = Gauge("stitchline_crm_ledger_rows", "Actions that the CRM holds, by the ledger.", ("sink",))
CRM_CALLS = Counter(
    "stitchline_crm_calls_total", "Requests to a CRM by HTTP status; 0 without an answer.", ("sink", "status")
)
CRM_SYNCED = Counter(
    "stitchline_crm_synced_total",
    "Objects compared with their profiles: written, equal (no write needed), retried, refused; or unreadable.",
    ("sink", "outcome"),
)
CRM_SYNC_OPEN = Gauge(
    "stitchline_crm_sync_open_profiles", "Profiles that are due and not compared with their object yet.", ("sink",)
)

# The read model and its API
SERVE_LAG = Gauge("stitchline_serve_lag_records", "Records on the followed topics that the read model has not applied.")
SERVE_DELAY = Gauge(
    "stitchline_serve_delay_seconds",
    "The largest time from a record's timestamp to its commit in the read model, over the last ten seconds.",
)
SERVE_AGE = Gauge(
    "stitchline_serve_age_seconds", "Time since the writer stored its progress; it does so every second at least."
)
SERVE_SKIPPED = Gauge(
    "stitchline_serve_skipped_records",
    "Records of a public topic that are none of its schema, since the writer's start.",
    ("topic",),
)
SERVE_REQUESTS = Counter(
    "stitchline_serve_requests_total", "API requests by route and status of the answer.", ("route", "status")
)
SERVE_REQUEST_SECONDS = Histogram("stitchline_serve_request_seconds", "Time to answer an API request.", ("route",))
# CRM readers
CRM_CHANGES = Counter("stitchline_crm_changes_total", "Objects that a CRM returned as changed.", ("connection",))
CRM_PULLED = Counter(
    "stitchline_crm_pulled_total",
    "Events read from a CRM (event), events that were quarantined (rejected), fields that the sink had written (echo).",
    ("connection", "outcome"),
)
CRM_SEEN = Gauge("stitchline_crm_seen_objects", "Objects and cursors that a CRM reader remembers.", ("connection",))
CRM_GAPS = Counter("stitchline_crm_gaps_total", "Expired cursors of a CRM reader.", ("connection", "stream"))

DEFINITIONS: Final[tuple[Definition, ...]] = tuple(
    result for result in list(globals().values()) if isinstance(result, Definition)
)
PROCESS_SERIES: Final = ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds")
"""Series of the process itself that dashboards may use; prometheus_client fills them on Linux."""


class _BulkHistogram(prometheus.Histogram):
    """A histogram that takes many observations with one change of each bucket."""

    def observe_all(self, values: Sequence[float]) -> None:
        """Adds observations."""
        numbers = Tally([bisect_left(self._upper_bounds, value) for value in values])
        self._sum.inc(sum(values))
        for place, number in numbers.items():
            self._buckets[place].inc(number)


_KINDS: Final = {Counter: prometheus.Counter, Gauge: prometheus.Gauge, Histogram: _BulkHistogram}


def series_names() -> frozenset[str]:
    """Returns every series name that a query may use, including the parts of histograms."""
    names = {definition.name for definition in DEFINITIONS} | set(PROCESS_SERIES)
    for definition in DEFINITIONS:
        if isinstance(definition, Histogram):
            names |= {f"{definition.name}_bucket", f"{definition.name}_sum", f"{definition.name}_count"}
    return frozenset(names)


class Metrics:
    """The metrics of one process. Call its methods once per batch, with sums; a call takes less than 1 µs.

    Label values are in the order of the definition's ``labels``; a wrong number of them raises ValueError.

    Counters and histograms without labels are exposed from the start, at 0. A gauge is exposed once it is set: a
    process that does not have what it measures would otherwise expose a 0, which an aggregate over all processes
    (``min``) takes for a measurement.
    """

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        self._parents = {definition.name: _collector(definition) for definition in DEFINITIONS}
        for definition in DEFINITIONS:
            if definition.labels or not isinstance(definition, Gauge):
                self.registry.register(self._parents[definition.name])
        self._counters: dict[tuple[str, tuple[str, ...]], prometheus.Counter] = {}
        self._gauges: dict[tuple[str, tuple[str, ...]], prometheus.Gauge] = {}
        self._histograms: dict[tuple[str, tuple[str, ...]], _BulkHistogram] = {}
        prometheus.ProcessCollector(registry=self.registry)
        prometheus.GCCollector(registry=self.registry)

    def add(self, counter: Counter, amount: float, *labels: str) -> None:
        """Raises a counter by ``amount`` >= 0."""
        child = self._counters.get((counter.name, labels))
        if child is None:
            child = self._counters[counter.name, labels] = self._child(counter, labels)
        child.inc(amount)

    def set(self, gauge: Gauge, value: float, *labels: str) -> None:
        """Sets a gauge."""
        child = self._gauges.get((gauge.name, labels))
        if child is None:
            child = self._gauges[gauge.name, labels] = self._child(gauge, labels)
            if not gauge.labels:
                self.registry.register(child)
        child.set(value)

    def start(self, histogram: Histogram, *labels: str) -> None:
        """Exposes a histogram without observations, so that a rate sees its first one."""
        self._histograms[histogram.name, labels] = self._child(histogram, labels)

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        """Adds one observation, in the unit at the end of the histogram's name."""
        child = self._histograms.get((histogram.name, labels))
        if child is None:
            child = self._histograms[histogram.name, labels] = self._child(histogram, labels)
        child.observe(value)

    def observe_all(self, histogram: Histogram, values: Sequence[float], *labels: str) -> None:
        """Adds observations, as :meth:`observe` does one by one, with one change of each bucket."""
        child = self._histograms.get((histogram.name, labels))
        if child is None:
            child = self._histograms[histogram.name, labels] = self._child(histogram, labels)
        child.observe_all(values)

    def forget(self, gauge: Gauge, *labels: str) -> None:
        """Removes a series of a gauge, for example the lag of a partition that another worker now owns."""
        if self._gauges.pop((gauge.name, labels), None) is not None:
            self._parents[gauge.name].remove(*labels)

    def value(self, definition: Definition, *labels: str) -> float:
        """Returns the value of a counter or gauge, or a histogram's number of observations; 0 without records."""
        name = f"{definition.name}_count" if isinstance(definition, Histogram) else definition.name
        sample = self.registry.get_sample_value(name, dict(zip(definition.labels, labels, strict=True)))
        return sample or 0.0

    def expose(self, accept: str = "") -> tuple[bytes, str]:
        """Returns the page that Prometheus scrapes and its content type, by the request's Accept header."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _child(self, definition: Definition, labels: tuple[str, ...]) -> Any:
        parent = self._parents[definition.name]
        return parent.labels(*labels) if labels or definition.labels else parent


def _collector(definition: Definition) -> Any:
    kind = _KINDS[type(definition)]
    extra = {"buckets": definition.buckets} if isinstance(definition, Histogram) else {}
    return kind(definition.name, definition.help, definition.labels, registry=None, **extra)
