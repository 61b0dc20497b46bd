"""Dialects: one pure module each. Body to Segment-spec documents or problems."""
