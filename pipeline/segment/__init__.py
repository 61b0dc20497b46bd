"""Segments: named conditions over a profile's ledgers, with the time until which each result cannot change."""
