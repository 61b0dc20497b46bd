"""Apache Kafka and a schema registry for a laptop, run from downloaded packages.

``kafka.LocalKafka`` and ``registry.LocalRegistry`` are context managers;
``broker.broker()`` chooses which Kafka to use.
"""
