"""Files for other tools: NDJSON, CSV, Parquet, GraphML and SVG, written whole or not at all."""
