"""The shell: Kafka batches in, the core's effects out, inside one transaction."""
