"""Sinks that deliver CRM actions. All sinks share one port, one runner and one contract test suite."""
