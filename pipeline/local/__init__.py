"""The real servers a laptop needs: Apache Kafka and a schema registry, from packages alone."""
