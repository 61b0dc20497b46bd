"""Connectors: ``sources`` brings events in, ``crm`` delivers leads."""
