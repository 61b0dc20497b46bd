"""Identity: links, their resolution into customers, union-find, stable profile ids, and the log of changes."""
