"""Where state is kept: RocksDB per partition, decoded rows in a write-back cache, a changelog that restores it."""
