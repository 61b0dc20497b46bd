"""The one exception of reading events: the input is not an event, and the producer can be told why."""


class InvalidEventError(ValueError):
    """Raised by the readers of JSON and Avro.

    ``str(error)`` names the field and what to write in it; it carries the type of a wrong value, never the value
    itself, which may be personal data. Operator action: none; the bytes are quarantined as ``invalid_field``.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
