"""Feeds Kafka batches to the core and writes the core's effects, in one transaction."""
