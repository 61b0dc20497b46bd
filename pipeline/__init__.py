"""Stitchline: whose is each event, how warm is this customer, tell the CRM. The map, in the order of an event's path.

1. ``pipeline.topics``: every topic, named once; between any two steps lies one of them, and nothing else.
2. ``pipeline.stream.poller``: a stage is handed the records of one partition as one batch.
3. ``pipeline.event.intake``: INTAKE: is it an event, is it new, under whom is it booked, which links does it show.
4. ``pipeline.identity.stitch``: STITCH: links become profiles; who moved, who merged, what was held and why.
5. ``pipeline.profile.logic``: PROFILE: touches into ledgers, ledgers to their owners, a profile as the fold of them.
6. ``pipeline.score.scorer``: points that fade, under caps, with contributions that sum to the score.
7. ``pipeline.trigger.decide``: what falls due, as of when it was due; segments left, triggers that fire once.
8. ``pipeline.route.router``: ROUTE: which representative gets it, and why, decided once for all leads of a tenant.
9. ``pipeline.stream.unit_of_work``: offsets, records and changelog in one Kafka transaction; the rows after it.
10. ``connectors.crm.runner``: actions to where leads are worked on, each with effect once.

``event``, ``identity``, ``condition``, ``profile``, ``score``, ``segment``, ``trigger`` and ``route`` are the core:
pure, and each reads only those before it.
``stream`` and ``state`` are the shell around them. Beside the path:

* ``pipeline.condition``: the language that rules ask in; ``pipeline.segment``: who is in which segment, and until when.
* ``pipeline.cli``: the commands; ``pipeline.settings``: the only reader of the environment.
* ``pipeline.errors``: what an operator can put right; ``pipeline.version``: the version of the installed package.
* ``pipeline.printable``: text from outside with everything escaped that would steer a terminal.
* ``pipeline.state``: the rows and timers of one stage and partition, and the changelog they are restored from.
* ``pipeline.rules``: the files a marketer writes, read with the line of every mistake.
* ``pipeline.kafka``: every Kafka client; ``pipeline.avro``: the bytes of records; ``pipeline.atomic_file``: files
  that are written whole or not at all; ``pipeline.backoff``: growing pauses between attempts;
  ``pipeline.retries``: stamina without its log lines.
* ``pipeline.query``: profiles, identities and leads as commands read them; ``pipeline.export``: the same as files.
* ``pipeline.control``: operators' decisions, and replays; ``pipeline.simulate``: the stages without Kafka.
* ``pipeline.model``: what customers will do, learnt offline from exported profiles.
* ``pipeline.obs``: metrics, logs, health pages.
* ``pipeline.local``: a real Kafka and schema registry on a machine that has neither Java nor Docker.
* ``pipeline.clock``: time as a parameter.
* ``pipeline.extras``: which library belongs to which optional part of the installation.
* ``pipeline.testing``: Kafka, stores and tables in memory; ``pipeline.demo``: the seeded shop day.
"""
