"""Webhooks: one module a vendor. Proof of origin over the raw bytes, and the mapping to Segment-spec documents."""
