"""Wires a runner, its log on Kafka, and the sink of a connection."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from threading import Event

from connectors.crm.action_log import Commit
from connectors.crm.connect import open_http, open_sink, open_syncer, settle_ms
from connectors.crm.deviation import Deviation
from connectors.crm.erasing import erasing
from connectors.crm.http import CrmHttp
from connectors.crm.kafka_log import KafkaLog, LedgerTopic
from connectors.crm.ledger import Ledger
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.reconcile import Repaired, repair
from connectors.crm.runner import Policy, SinkRunner
from connectors.crm.sink import Action
from connectors.crm.sync.board import Board
from connectors.crm.sync.syncer import Syncer
from connectors.crm.sync.updates import Feed, KafkaUpdates
from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Decoder, Encoder, Undecodable
from pipeline.clock import wall_clock_ms
from pipeline.kafka.reading import Reading, partitions_of
from pipeline.obs.http import HealthServer
from pipeline.obs.http_thread import HealthThread
from pipeline.obs.metrics import Metrics
from pipeline.rules.crm import CrmConnection
from pipeline.settings import Settings
from pipeline.topics import ACTION_DLQ, ACTIONS, LEDGER, UPDATES


def ledger_topic(settings: Settings) -> LedgerTopic:
    """Returns the ledger topic of a deployment, with its codecs."""
    topic, ids = LEDGER.of(settings.topic_prefix), schema_ids(settings.schema_registry_url)
    encode = Encoder(LEDGER.value, ids.id_of(topic, LEDGER.value), LedgerRow)
    return LedgerTopic(topic, encode, Decoder(LEDGER.value, ids.writer))


def deliver(settings: Settings, connection: CrmConnection, stop: Event, *, drain: bool) -> SinkRunner:
    """Delivers until ``stop`` is set or, with ``drain``, until everything is settled. Returns the runner.

    Raises:
        SinkError: The sink failed, or another process took over.
        SecretError: The access key is not where the connection refers to.
        KafkaException: Kafka returned an error that is not retriable.
    """
    metrics, ledger = Metrics(), Ledger()
    decode = Decoder(ACTIONS.value, schema_ids(settings.schema_registry_url).writer)
    http = open_http(connection, clock=wall_clock_ms, sleep=stop.wait, metrics=metrics)
    with contextlib.ExitStack() as stack:
        stack.callback(http.close)
        stack.callback(ledger.close)
        log = action_log(settings, connection)
        stack.callback(log.close)
        runner = SinkRunner(
            connection.name,
            log,
            erasing(connection, open_sink(connection, http, ledger, wall_clock_ms), http.send, ledger, wall_clock_ms),
            decode=decode,
            clock=wall_clock_ms,
            ledger=ledger,
            metrics=metrics,
            policy=Policy(max_tries=connection.max_tries, settle_ms=settle_ms(connection)),
            beside=_syncer(settings, connection=connection, http=http, ledger=ledger, metrics=metrics, stack=stack),
        )
        http.before_each = runner.confirm
        if settings.http_port:
            pages = HealthServer(metrics, ready=runner.not_ready, host=settings.http_host, port=settings.http_port)
            stack.enter_context(HealthThread(pages))
        runner.run(stop, drain=drain)
    return runner


def fix(settings: Settings, connection: CrmConnection, found: Sequence[Deviation]) -> Repaired:
    """Repairs deviations. Shuts out a running sink of the connection, which then ends.

    Raises:
        SinkError: The CRM denies a right, or another process took over.
        KafkaException: Kafka returned an error that is not retriable.
    """
    ledger, pause = Ledger(), Event()
    http = open_http(connection, clock=wall_clock_ms, sleep=pause.wait, metrics=Metrics())
    with contextlib.ExitStack() as stack:
        stack.callback(http.close)
        stack.callback(ledger.close)
        log = action_log(settings, connection)
        stack.callback(log.close)
        ledger.apply(log.ledger_rows())
        positions = {partition: place for partition, place in log.positions().items() if place.offset >= 0}

        def save(rows: Sequence[LedgerRow]) -> None:
            log.commit(Commit(rows, (), positions))
            ledger.apply(rows)

        pause.wait(settle_ms(connection) / 1000)  # requests of the sink that was shut out
        sink = open_sink(connection, http, ledger, wall_clock_ms)
        return repair(found, sink, find=lambda wanted: _actions(settings, wanted), save=save)


def profile_feed(settings: Settings) -> Feed:
    """Returns the profile updates of a deployment, from the beginning."""
    topic = UPDATES.of(settings.topic_prefix)
    decode = Decoder(UPDATES.value, schema_ids(settings.schema_registry_url).writer)
    return Feed(topic, KafkaUpdates(settings.kafka(), topic), decode)


def _syncer(
    settings: Settings, *, connection: CrmConnection, http: CrmHttp, ledger: Ledger, metrics: Metrics,
    stack: contextlib.ExitStack,
) -> Syncer | None:  # fmt: skip
    if not connection.sync.fields:
        return None
    feed, board = profile_feed(settings), Board(connection)
    stack.callback(feed.updates.close)
    stack.callback(board.close)
    return open_syncer(connection, http, ledger, board, feed, clock=wall_clock_ms, metrics=metrics)


def action_log(settings: Settings, connection: CrmConnection) -> KafkaLog:
    """Returns the actions topic for the one runner of a connection. Shuts out the one before."""
    prefix = settings.topic_prefix
    group = f"{settings.application_id}.crm.{connection.name}"
    return KafkaLog(
        settings.kafka(), ACTIONS.of(prefix), sink=connection.name, group=group, dlq=ACTION_DLQ.of(prefix),
        ledger=ledger_topic(settings),
    )  # fmt: skip


def _actions(settings: Settings, wanted: set[str]) -> Iterator[Action]:
    """Yields the records of the actions topic that have these action ids."""
    topic = ACTIONS.of(settings.topic_prefix)
    decode = Decoder(ACTIONS.value, schema_ids(settings.schema_registry_url).writer)
    reading = Reading(settings.kafka(), topic, range(partitions_of(settings.kafka(), topic)))
    for batch in reading.batches():
        yield from _decoded(((one.partition() or 0, one.offset() or 0, one.value()) for one in batch), decode, wanted)


def _decoded(records: Iterable[tuple[int, int, bytes | None]], decode: Decoder, wanted: set[str]) -> Iterator[Action]:
    for partition, offset, value in records:
        with contextlib.suppress(Undecodable):
            action = Action(partition, offset, decode(value))
            if action.action_id in wanted:
                yield action
