"""Who is in which segment: conditions over a profile's ledgers, and until when the answer cannot change by itself."""
