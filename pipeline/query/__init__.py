"""What commands read: profiles, identities, segments, leads and the state of the stream, from topics and changelogs."""
