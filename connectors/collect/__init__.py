"""The HTTP collector: takes events from SDKs and webhooks, and acknowledges what Kafka or the spool holds.

The map, in the order in which a request passes:

1. ``server``, ``connection``: HTTP/1.1 with limits on connections, heads, bodies and time; at SIGTERM they drain.
2. ``app``: routes a whole request, and answers it at once or when its records are safe.
3. ``admission``: key, origin, rate; parses the body by ``dialects`` or ``webhooks``.
4. ``stamp``: sets what the server knows (tenant, source, time of receipt, address) and removes personal fields.
5. ``encode``: turns documents into Kafka records, or into records of the DLQ.
6. ``safekeeping``: writes the records to Kafka, or to the spool while Kafka is away. Only then is the answer sent.
"""
