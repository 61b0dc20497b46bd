"""Stitchline."""
