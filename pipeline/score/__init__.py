"""Scores: points counted as integers, decayed and explained when they are read; and predictions from a fitted model."""
