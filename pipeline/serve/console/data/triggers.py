"""Triggers: in words, and tried on the stored customers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pipeline.errors import OperatorError
from pipeline.event.duration import format_duration
from pipeline.query.dry_run import DryRun, dry_run
from pipeline.serve.console.data.states import States
from pipeline.serve.console.views import TriggerLine
from pipeline.serve.read.reads import Reads
from pipeline.trigger.rules import SegmentTrigger, Trigger, TriggerRule

BUDGET_SECONDS: Final = 20.0
SAMPLE: Final = 8


class BusyError(OperatorError):
    """Another person's dry run is under way. Operator action: try again in half a minute."""


ONE_AT_A_TIME: Final = threading.Lock()
"""Held by what evaluates all profiles: each takes a core while it runs."""


class TriggerData:
    """Reads triggers from the rules."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def all(self) -> list[TriggerLine]:
        """Returns the triggers of the rules in force."""
        return [trigger_line(rule) for rule in self._reads.context.rules.triggers.every()]

    def dry_run(self, tenant: str) -> tuple[DryRun, int]:
        """Evaluates every trigger on the stored customers, for at most ``BUDGET_SECONDS``. Writes nothing.

        Returns the outcome and the number of all customers.

        Raises:
            BusyError: another one is under way.
        """
        context = self._reads.context
        names = [rule.name for rule in context.rules.triggers.every()]
        with one_at_a_time():
            states = States(context.store, tenant, BUDGET_SECONDS)
            return dry_run(states.rows(), context.compiled, names, context.clock(), SAMPLE), states.total


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Holds :data:`ONE_AT_A_TIME`. Raises BusyError if it is held already."""
    if not ONE_AT_A_TIME.acquire(blocking=False):
        message = "Another dry run is under way; try again in half a minute."
        raise BusyError(message)
    try:
        yield
    finally:
        ONE_AT_A_TIME.release()


def trigger_line(rule: Trigger) -> TriggerLine:
    """Returns what a trigger waits for, in words."""
    fires, arms = "", ""
    if isinstance(rule, SegmentTrigger):
        verb, opposite = ("entered", "left") if rule.change == "entered" else ("left", "entered")
        fires, arms = f"segment {rule.segment} is {verb}", f"the segment is {opposite}"
    elif isinstance(rule, TriggerRule):
        below, above = f"{rule.score} falls below {rule.low:g}", f"{rule.score} reaches {rule.high:g}"
        fires, arms = (below, above) if rule.falling else (above, below)
    limits = [f"at most once in {format_duration(rule.cooldown_ms)}"] if rule.cooldown_ms else []
    limits += ["once per customer"] if rule.once else []
    limits += [f"not from {rule.quiet.start} to {rule.quiet.end}"] if rule.quiet else []
    if rule.consent:
        limits.append(
            f"with consent to {rule.consent}" if rule.consent_required else f"unless {rule.consent} is denied"
        )
    return TriggerLine(rule.name, fires, arms, ", ".join(limits))
