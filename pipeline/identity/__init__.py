"""Whose an event is: links, resolution, union-find, stable profile ids, and the log of what changed."""
