"""The read side: a database that follows the topics, and what is served from it.

* ``pipeline.serve.model``: the read model. One writer folds records into tables; rows and offsets commit together.
* ``pipeline.serve.read``: queries over the read model, which return structs. Pages and tools for agents use them too.
* ``pipeline.serve.access``: API keys, scopes, rate limits, masking, and the audit log.
* ``pipeline.serve.api``: the HTTP routes of ``/v1``.
* ``pipeline.serve.signin``: users of the console, their roles, sessions and failed attempts.
* ``pipeline.serve.console``: the pages at ``/``.
* ``pipeline.serve.front``: passes each request to API or console.
"""
