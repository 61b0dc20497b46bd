"""Faults on purpose: a seeded run of real workers on a Kafka of its own, compared with ``simulate`` of the same input.

1. :mod:`~pipeline.chaos.plan` is what a run does, :mod:`~pipeline.chaos.schedule` its faults with their times.
2. :mod:`~pipeline.chaos.day` is the input, :mod:`~pipeline.chaos.producers` sends it with sequence numbers.
3. ``broker``, ``proxy``, ``workers``, ``disk``, ``copies`` and ``foreign`` are what breaks.
   :mod:`~pipeline.chaos.faults` breaks it.
4. :mod:`~pipeline.chaos.recovery` measures the time until work goes on, and what the health pages answer meanwhile.
5. :mod:`~pipeline.chaos.soak` measures memory, disk and descriptors over time.
6. :mod:`~pipeline.chaos.verdict` compares; each ``check_…`` module is one comparison.
"""
