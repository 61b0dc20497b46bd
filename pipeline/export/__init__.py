"""Files for other tools: NDJSON, CSV, Parquet, GraphML and SVG, written completely or not at all."""
