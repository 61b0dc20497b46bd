"""The worker's state: one RocksDB per partition, a write-back cache of decoded rows, a changelog to restore from."""
