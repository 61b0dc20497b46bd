"""Files as sources of events: NDJSON, CSV with a mapping, Avro containers; each may be gzipped."""
