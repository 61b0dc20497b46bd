"""What operators send into the pipeline: decisions about identities, and replays of quarantined records."""
