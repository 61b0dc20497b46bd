"""Everything that touches a Kafka client: clients, offsets, snapshots, tails, retries, topics."""
