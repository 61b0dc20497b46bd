"""Creates counter and histogram series at 0 when a worker starts.

Prometheus' ``increase()`` is 0 for a series whose first sample is already 3. An alert on a counter that appears with
its first event would miss that event. Every series whose labels are known in advance therefore starts with the worker.
"""

from collections.abc import Collection, Iterator
from typing import Final, TypeAlias, get_args

from pipeline.event.reason import Reason
from pipeline.identity.messages import ChangeKind
from pipeline.obs import metrics as m
from pipeline.route.decision import Step
from pipeline.rules.model import Rules
from pipeline.topics import INPUTS, StageName

COMMIT_FAILURE_KINDS: Final = ("retriable", "aborted", "fenced", "fatal")
ABORT_CAUSES: Final = ("refused", "lost")
FORWARDED: Final = ("ledger", "touch")
DROP_REASONS: Final = (Reason.DUPLICATE.value, Reason.ERASED.value)
QUARANTINE_REASONS: Final = tuple(reason.value for reason in list(Reason)[: list(Reason).index(Reason.DUPLICATE)])

Series: TypeAlias = tuple[m.Counter, tuple[str, ...]]


def start_series(metrics: m.Metrics, stages: Collection[str], rules: Rules) -> None:
    """Creates every series of these stages whose labels are known in advance and that a rate is taken of."""
    for counter, labels in _series(stages, rules):
        metrics.add(counter, 0, *labels)
    for stage in stages:
        metrics.start(m.RESTORE_SECONDS, stage)
        for topic in INPUTS[StageName(stage)]:
            metrics.set(m.SOURCE_STOPPED, 0, stage, topic.name)
    if "intake" in stages:
        metrics.set(m.POISON_SHARE, 0, "intake")


def _series(stages: Collection[str], rules: Rules) -> Iterator[Series]:
    yield from ((m.COMMIT_FAILURES, (kind,)) for kind in COMMIT_FAILURE_KINDS)
    yield from ((m.ABORTS, (cause,)) for cause in ABORT_CAUSES)
    yield from ((m.RESTORE_ROWS, (stage,)) for stage in stages)
    if "intake" in stages:
        yield from ((m.DLQ_RECORDS, ("intake", reason)) for reason in QUARANTINE_REASONS)
        yield from ((m.RESULTS, ("intake", "dead_letter", reason)) for reason in QUARANTINE_REASONS)
        yield from ((m.RESULTS, ("intake", "drop", reason)) for reason in DROP_REASONS)
        yield m.RESULTS, ("intake", "redirect", Reason.REKEYED.value)
    if "stitch" in stages:
        yield from ((m.IDENTITY_CHANGES, (kind,)) for kind in get_args(ChangeKind))
        yield from ((m.FIREBREAKS, (declared.name,)) for declared in rules.identity.types)
    if "profile" in stages:
        yield from ((m.FORWARDED, (what,)) for what in FORWARDED)
        triggers = [*rules.triggers.triggers, *rules.triggers.segment_triggers]
        yield from ((m.ACTIONS, (trigger.name,)) for trigger in triggers)
        for segment in rules.segments.segments:
            yield from ((m.SEGMENT_CHANGES, (segment.name, change)) for change in ("entered", "exited"))
    if "route" in stages:
        yield from ((m.LEADS_ROUTED, (step, "")) for step in get_args(Step) if step != "route")
        yield from ((m.LEADS_ROUTED, ("route", route.name)) for route in rules.routing.routes)
