"""Avro on the wire: compiled writers, readers, the schema registry, and one set of codecs per process."""
