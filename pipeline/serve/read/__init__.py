"""Queries over the read model. Every query names the tenant, and never answers with another tenant's data.

:class:`~pipeline.serve.read.reads.Reads` holds them all.
"""
