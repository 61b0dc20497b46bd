"""Compares what Kafka and RocksDB hold after a run with ``simulate`` of the same input."""

from pathlib import Path

import msgspec

from pipeline.chaos.check_input import check_input
from pipeline.chaos.check_offsets import check_offsets
from pipeline.chaos.check_outcome import check_actions, check_owners, check_profiles, kafka_outcome
from pipeline.chaos.check_quarantine import check_quarantine
from pipeline.chaos.check_standing import check_standing
from pipeline.chaos.check_state import StateCheck
from pipeline.chaos.check_touches import check_touches
from pipeline.chaos.comparison import Comparison, comparison
from pipeline.chaos.day import Sent, simulated
from pipeline.chaos.foreign import Foreign
from pipeline.chaos.soak import Trend, check_trends
from pipeline.rules.model import Rules
from pipeline.settings import Settings


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a run whose workers have left."""

    settings: Settings
    rules: Rules
    day: list[Sent]
    foreign: Foreign
    left: list[str]
    """What was waiting when the workers were stopped."""
    codes: dict[str, int]
    """Exit codes of the workers."""
    state: Path
    """Folder of the workers' state."""
    copies: list[Path]
    folder: Path
    trends: list[Trend]
    soak: bool


class Verdict(msgspec.Struct, frozen=True):
    """The comparisons, and what is no difference."""

    comparisons: list[Comparison]
    unusable_copies: list[str]
    """Copied databases that RocksDB refused to open."""
    sent_twice: int
    """Events that producers delivered more than once."""


def compare(evidence: Evidence) -> Verdict:
    """Makes every comparison."""
    settings, day = evidence.settings, evidence.day
    theirs, ours = simulated(settings, evidence.rules, day), kafka_outcome(settings, evidence.rules)
    state = StateCheck(settings, evidence.folder)
    own = state.compare("databases on disk and changelog", sorted(evidence.state.glob("worker-*/")))
    unusable = list(state.unusable)
    copied = state.compare("copied databases, rolled forward, and changelog", evidence.copies)
    codes = (f"worker {name} ended with exit code {code} on SIGTERM" for name, code in evidence.codes.items() if code)
    sent, sent_twice = check_input(settings, day)
    comparisons = [
        check_standing(settings, evidence.left),
        sent,
        check_touches(settings, day),
        check_profiles(ours.profiles, theirs.profiles),
        check_owners(settings, theirs.owners),
        check_actions(ours, theirs),
        check_offsets(settings),
        check_quarantine(settings, evidence.foreign),
        own,
        copied,
        comparison("databases can be opened", own.compared, unusable),
        comparison("workers leave", len(evidence.codes), codes),
        *([check_trends(evidence.trends)] if evidence.soak else []),
    ]
    return Verdict(comparisons, state.unusable[len(unusable) :], sent_twice)
