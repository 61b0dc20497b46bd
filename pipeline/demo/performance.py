"""One performance on a Kafka that runs: topics, workers, the day, and the verdict when everything has gone through."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from connectors.sources.outgoing import EventEncoder
from pipeline.avro.registry import FileIds
from pipeline.demo.crew import wait_for_workers, workers_here
from pipeline.demo.look import Stage
from pipeline.demo.play import Play
from pipeline.demo.shop import ShopDay
from pipeline.demo.show import Outcome, Show
from pipeline.demo.truth import Known, Verdict, judge
from pipeline.event.parse import Defaults
from pipeline.kafka.admin import ensure_topics
from pipeline.query.flow import FlowMeter
from pipeline.query.live import Board, Counts, HotLead, Live
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.stream.supervisor import Supervisor

HOTTEST: Final = 10


class Result(msgspec.Struct, frozen=True):
    """What is left when the day is over and the workers have gone home."""

    verdict: Verdict
    outcome: Outcome
    counts: Counts
    identifier: str
    """One whose customer is worth a look; empty if there is no customer."""


def perform(
    settings: Settings,
    environment: Mapping[str, str],
    log: Path,
    day: ShopDay,
    *,
    seconds: float,
    patience_seconds: float,
    stage: Stage,
) -> Result:
    """Run it. No worker is left, however it ends; ``log`` takes what they say.

    Raises:
        CrewError, PlayError, NotFinishedError, WorkersKeepDyingError, RulesError, KafkaException: with what to do.
    """
    rules = load_rules(settings.rules_dir)
    encode = EventEncoder(rules.intake, rules.identifiers, FileIds(), settings.topic_prefix, Defaults())
    ensure_topics(settings)
    known, workers = Known(), workers_here()
    board = Board(FileIds(), settings.topic_prefix, on_update=known.take)
    with (
        Supervisor(workers, environment, log) as supervisor,
        Live(settings, board) as live,
        closing(FlowMeter(settings)) as meter,
    ):
        stage.step(f"starting {workers} worker{'s' if workers > 1 else ''}")
        wait_for_workers(settings, workers, supervisor.check)
        play = Play(settings.kafka(), encode, day, seconds)
        show = Show(play, supervisor, known, live=live, meter=meter, stage=stage)
        outcome = show.run(patience_seconds)
    leads = {board.owner(action["profile_id"]) for action in board.actions.values()}
    verdict = judge(day.people, day.events, known, leads)
    return Result(verdict, outcome, board.counts(), _worth_a_look(board.hottest(HOTTEST), known))


def _worth_a_look(leads: list[HotLead], known: Known) -> str:
    """The lead with the most identifiers, else the customer with the most; of equals the first by text."""
    told = [(-lead.identifiers, lead.identifier) for lead in leads]
    others = [(-len(found), found[0]) for found, _ in known.customers.values() if found]
    return min(told or others, default=(0, ""))[1]
