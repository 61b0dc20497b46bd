"""Files as sources of events: NDJSON, CSV with a mapping, Avro, Parquet and Arrow."""
