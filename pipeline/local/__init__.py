"""The real servers a laptop needs: Apache Kafka and a schema registry, from packages alone.

``kafka.LocalKafka`` and ``registry.LocalRegistry`` are context managers;
``broker.broker()`` chooses which Kafka to use.
"""
