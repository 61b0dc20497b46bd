"""One module for each kind of record: how its records change the tables.

The result does not depend on how records of different partitions are interleaved, nor on where batches begin and end.
"""
