"""The exception that the readers of events raise for input that is not an event."""


class InvalidEventError(ValueError):
    """Raised by the readers of JSON and Avro.

    ``str(error)`` names the field and what to write in it. It may contain the type of a wrong value, never the value,
    which may be personal data. Operator action: none; the bytes are quarantined as ``invalid_field``.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
