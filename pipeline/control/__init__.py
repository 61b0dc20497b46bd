"""The operators' way into the pipeline: commands about identities, and replays of quarantined records."""
