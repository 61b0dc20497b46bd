"""Everything that uses a Kafka client: clients, offsets, snapshots, tails, retries, topics."""
