"""Builds workers from settings: codecs, rules, unit of work and stages."""

from collections.abc import Mapping

from pipeline.avro.codecs import Codecs
from pipeline.avro.registry import schema_ids
from pipeline.errors import OperatorError
from pipeline.kafka.admin import ensure_topics, partition_count
from pipeline.kafka.clients import LOGGED
from pipeline.kafka.partitioner import partitioner
from pipeline.obs.log import logger
from pipeline.obs.metrics import COMMIT_FAILURES, RULES, Metrics
from pipeline.rules.load import load_rules
from pipeline.rules.version import rules_version
from pipeline.settings import Settings
from pipeline.stream.clock_watch import WatchedClock
from pipeline.stream.dlq import LossBreaker
from pipeline.stream.first_series import start_series
from pipeline.stream.process_environment import process_environment
from pipeline.stream.stages.base import Context, StageSpec
from pipeline.stream.stages.intake import INTAKE
from pipeline.stream.stages.profile import PROFILE
from pipeline.stream.stages.route import ROUTE
from pipeline.stream.stages.stitch import STITCH
from pipeline.stream.transaction_time import check_transaction_time
from pipeline.stream.unit_of_work import UnitOfWork
from pipeline.stream.worker import Worker

STAGES: Mapping[str, StageSpec] = {spec.name: spec for spec in (INTAKE, STITCH, PROFILE, ROUTE)}

log = logger(__name__)


class UnknownStageError(OperatorError, ValueError):
    """Operator action: STITCHLINE_STAGES takes a comma-separated list of intake, stitch, profile and route."""


def stage_specs(settings: Settings) -> tuple[StageSpec, ...]:
    """Returns the stages that the worker runs.

    Raises:
        UnknownStageError: The setting is empty or contains a name that is no stage.
    """
    names = settings.stage_names()
    unknown = [name for name in names if name not in STAGES]
    if unknown or not names:
        message = f"no stage is called {', '.join(unknown) or 'nothing'}; choose from {', '.join(STAGES)}"
        raise UnknownStageError(message)
    return tuple(STAGES[name] for name in names)


class Blueprint:
    """What the sessions of one process share: rules, codecs, metrics, and the environment of the process.

    Raises:
        UnknownStageError: STITCHLINE_STAGES is empty or contains a name that is no stage.
        SettingsError: Transactions may be open for longer than the brokers allow.
        RulesError: The rules files have problems.
        TopicsError: The topics on the broker do not have the same number of partitions.
        RegistryError: The schema registry did not answer or returned an error.
        confluent_kafka.KafkaException: The broker did not answer or returned an error.
    """

    def __init__(self, settings: Settings) -> None:
        """Creates missing topics."""
        self.settings, self.specs, self.metrics = settings, stage_specs(settings), Metrics()
        check_transaction_time(settings)
        self._rules = load_rules(settings.rules_dir)
        created = ensure_topics(settings)
        if created:
            log.info("topics_created", topics=len(created))
        self.partitions = partition_count(settings)
        self._partition_of = partitioner(self.partitions, settings.cached_rows)
        self.metrics.set(RULES, 1, rules_version(self._rules))
        start_series(self.metrics, settings.stage_names(), self._rules)
        self._codecs = Codecs(schema_ids(settings.schema_registry_url), settings.topic_prefix)
        self._clock = WatchedClock()
        self._breaker = LossBreaker(settings.poison_share, settings.poison_window)
        self._environment = process_environment(settings, len(self.specs) * self.partitions)

    def worker(self) -> Worker:
        """Returns a worker with new clients for one session."""
        settings, partitions = self.settings, self.partitions
        unit = UnitOfWork(
            {**settings.kafka(), **LOGGED},
            f"{settings.application_id}-{settings.worker_id}",
            settings.topic_prefix,
            settings.transaction_timeout_ms,
            refused=lambda kind: self.metrics.add(COMMIT_FAILURES, 1, kind),
        )
        context = Context(
            settings=settings,
            rules=self._rules,
            codecs=self._codecs,
            clock=self._clock,
            emit=unit.emit,
            partition_of=self._partition_of,
            breaker=self._breaker,
            metrics=self.metrics,
            partitions=partitions,
            broadcast=lambda topic, key, value: unit.broadcast(topic, key, value, partitions),
        )
        return Worker(self.specs, context, unit, self._environment)
