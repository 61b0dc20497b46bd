"""One run of the demo on a running Kafka: topics, workers, the day, and the verdict once all events are processed."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from connectors.sources.outgoing import EventEncoder
from pipeline.avro.registry import FileIds
from pipeline.demo.demo_state import Display
from pipeline.demo.door import RULES, declare_sources, open_door
from pipeline.demo.event_sender import EventSender
from pipeline.demo.loop import DemoLoop, Outcome
from pipeline.demo.shop import ShopDay
from pipeline.demo.truth import Known, Verdict, judge
from pipeline.demo.worker_processes import wait_for_workers, workers_here
from pipeline.event.parse import Defaults
from pipeline.kafka.admin import ensure_topics
from pipeline.local.ports import free_ports
from pipeline.query.flow import FlowMeter
from pipeline.query.live import Counts, HotLead, LeadBoard, Live
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.stream.supervisor import COLLECTOR, Supervisor, http_port_behind

HOTTEST: Final = 10


class Result(msgspec.Struct, frozen=True):
    """The result of a demo, after the workers have stopped."""

    verdict: Verdict
    outcome: Outcome
    counts: Counts
    identifier: str
    """An identifier of a customer worth looking at; empty if there is no customer."""


def run_demo(
    settings: Settings,
    environment: Mapping[str, str],
    log: Path,
    day: ShopDay,
    *,
    seconds: float,
    timeout_seconds: float,
    display: Display,
) -> Result:
    """Runs the demo. The workers write to ``log`` and are stopped in every case.

    Raises:
        WorkersError: the workers did not become ready in time.
        SendError: an event could not be sent.
        DoorError: the collector was not ready in time, or did not take an event.
        NotFinishedError: the day was not processed within ``timeout_seconds`` after its last event.
        WorkersKeepDyingError: the workers keep exiting by themselves.
        RulesError: the rules files are invalid.
        KafkaException: the broker did not answer or refused.
    """
    rules = load_rules(settings.rules_dir)
    encode = EventEncoder(rules.intake, rules.identifiers, FileIds(), settings.topic_prefix, Defaults())
    ensure_topics(settings)
    known, workers = Known(), workers_here()
    board = LeadBoard(FileIds(), settings.topic_prefix, on_update=known.take)
    port = free_ports(1)[0]
    credentials = declare_sources(settings.home / RULES, settings.rules_dir)
    of_collector = {
        **environment, **http_port_behind(settings.http_port, workers),
        "STITCHLINE_RULES_DIR": str(settings.home / RULES), "STITCHLINE_COLLECT_PORT": str(port),
    }  # fmt: skip
    with (
        Supervisor(workers, environment, log) as supervisor,
        Live(settings, board) as live,
        closing(FlowMeter(settings)) as meter,
    ):
        display.step(f"starting {workers} worker{'s' if workers > 1 else ''}")
        wait_for_workers(settings, workers, supervisor.check)
        with (
            Supervisor(1, of_collector, log, program=COLLECTOR) as collector,
            open_door(port, credentials, collector.check) as door,
        ):
            sender = EventSender(settings.kafka(), encode, day, seconds, door)
            loop = DemoLoop(sender, supervisor, known, live=live, meter=meter, display=display)
            outcome = loop.run(timeout_seconds)
    leads = {board.owner(action["profile_id"]) for action in board.actions.values()}
    verdict = judge(day.people, day.events, known, leads)
    return Result(verdict, outcome, board.counts(), _worth_a_look(board.hottest(HOTTEST), known))


def _worth_a_look(leads: list[HotLead], known: Known) -> str:
    """Returns an identifier of the lead with the most identifiers, else of the customer with the most.

    Among equals it is the first identifier in alphabetical order.
    """
    by_size = [(-lead.identifiers, lead.identifier) for lead in leads]
    others = [(-len(identifiers), identifiers[0]) for identifiers, _ in known.customers.values() if identifiers]
    return min(by_size or others, default=(0, ""))[1]
