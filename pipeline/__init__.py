"""Stitchline stitches events to customers, scores leads and notifies the CRM.

The map, in the order in which a worker calls its parts: app → poller → worker → stage → core → unit of work.

1. ``pipeline.stream.app``: runs one worker process; its Faust transport runs the poller and passes batches on.
2. ``pipeline.stream.poller``: fetches records of the assigned partitions; each batch holds records of one partition.
3. ``pipeline.stream.worker``: passes each batch to the stage that reads its topic, fires due timers, commits.
4. ``pipeline.event.intake``: called by ``stages.intake``; validates and deduplicates events, finds anchors and links.
5. ``pipeline.identity.stitch``: called by ``stages.stitch``; resolves links to profiles, merges and splits them.
6. ``pipeline.profile.logic``: called by ``stages.profile``; books touches into ledgers and publishes profiles.
7. ``pipeline.score.scorer``: called by steps 6 and 8; computes scores with decay, caps and contributions.
8. ``pipeline.trigger.decide``: called by step 6; evaluates segments and triggers at each touch and each due timer.
9. ``pipeline.route.router``: called by ``stages.route``; assigns each lead to a representative and gives the reason.
10. ``pipeline.stream.unit_of_work``: called by step 3; commits offsets, output and changelog in one transaction.

The stages are the modules of ``pipeline.stream.stages``. They call each other only through topics:
INTAKE → STITCH → INTAKE and PROFILE; INTAKE → PROFILE → ROUTE.
``event``, ``identity``, ``condition``, ``profile``, ``score``, ``segment``, ``trigger`` and ``route`` are the core:
pure functions, and each package imports only those before it.
``stream`` and ``state`` are the shell around them. Beside the path:

* ``pipeline.topics``: every stage and topic with its key, schema and clean-up policy.
* ``pipeline.condition``: the condition language of the rules; ``pipeline.segment``: segment membership and due times.
* ``pipeline.cli``: the commands; ``pipeline.settings``: the only reader of the environment.
* ``pipeline.errors``: errors that an operator can fix; ``pipeline.version``: the version of the installed package.
* ``pipeline.printable``: escapes control characters in text that comes from outside.
* ``pipeline.state``: rows and timers of one stage and partition, and the changelog from which they are restored.
* ``pipeline.rules``: reads the rules files; reports every mistake with its line.
* ``pipeline.kafka``: every Kafka client; ``pipeline.avro``: encoding and decoding of records;
  ``pipeline.atomic_file``: atomic replacement of a file; ``pipeline.backoff``: growing pauses between attempts;
  ``pipeline.retries``: stamina without its log lines.
* ``pipeline.query``: reads profiles, identities and leads for the commands; ``pipeline.export``: writes them to files.
* ``pipeline.privacy``: what is held about a person; erasures, and their receipts.
* ``pipeline.control``: operators' decisions, and replays; ``pipeline.simulate``: the stages without Kafka.
* ``pipeline.serve``: a database that follows the topics; the HTTP API, the console and agents' tools answer from it.
* ``pipeline.model``: predictions of customers' behaviour, fitted offline on exported profiles.
* ``pipeline.obs``: metrics, logs and health pages.
* ``pipeline.local``: a real Kafka and schema registry on a machine that has neither Java nor Docker.
* ``pipeline.clock``: time as a parameter.
* ``pipeline.extras``: the optional libraries and the extras that install them.
* ``pipeline.testing``: Kafka, stores and tables in memory; ``pipeline.demo``: the seeded shop day.
* ``pipeline.chaos``: workers under seeded faults, compared with ``simulate``.

``connectors.sources`` reads files of events into Kafka; ``connectors.collect`` takes events over HTTP;
``connectors.crm`` delivers the actions to a CRM, and keeps segments, scores and traits up to date there.
"""
