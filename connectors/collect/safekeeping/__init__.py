"""Safekeeping of accepted records: Kafka, and a spool on disk while Kafka is away."""
