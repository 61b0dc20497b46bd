"""Avro on the wire: compiled writers, readers, the schema registry, one set of codecs for each process."""
