"""A seeded day of a shop in all channels, played by the demo, and its truth, which checks the pipeline's results."""
