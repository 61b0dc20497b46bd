"""Sinks that carry CRM actions out of Kafka: one port, one runner, one contract test suite for all of them."""
