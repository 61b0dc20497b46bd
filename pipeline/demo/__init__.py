"""A seeded day of a shop in all channels: what the demo plays and what tests know the truth about."""
