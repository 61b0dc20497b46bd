"""Sign-in of people: users, roles, sessions, the limit on attempts. A rebuild of the read model keeps their tables."""
