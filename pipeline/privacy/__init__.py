"""A person's rights: write out what is held, erase it, refuse further events, and prove where and until when."""
