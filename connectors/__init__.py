"""The edges: what brings events in (sources) and what carries leads out (crm)."""
