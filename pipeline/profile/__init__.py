"""Profiles: one ledger per anchor, and the fold of a customer's ledgers into the published profile."""
