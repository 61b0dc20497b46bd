"""The read side of the commands: profiles, identities, segments, leads and stream state, from topics and changelogs."""
