"""The read side: what the topics say now, for people and for programs."""
