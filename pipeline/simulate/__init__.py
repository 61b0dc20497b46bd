"""The four stages over an in-memory log, in one process and without a server."""
