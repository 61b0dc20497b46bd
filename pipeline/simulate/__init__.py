"""The four stages over a log in memory, in one process and without a server."""
