"""What the pages read and do: over the read model, and where the read model has no answer over Kafka and the rules.

Methods take the tenant of the signed-in person first, and never return anything of another tenant. Those of
:mod:`~pipeline.serve.console.data.quarantine` are of the whole deployment, because a record that cannot be decoded has
no tenant; they need the right to operate. Methods that reach Kafka raise OperatorError or KafkaException if it is away.
"""
