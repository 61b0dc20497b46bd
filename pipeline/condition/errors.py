"""Errors in conditions: message, position and advice."""


class ConditionError(ValueError):
    """The text is not a valid condition, or it uses names or values that the rules do not define.

    Operator action: follow the advice in ``instead`` at ``position``, a character index from 0.
    """

    def __init__(self, message: str, position: int, instead: str = "") -> None:
        super().__init__(f"{message}; {instead}" if instead else message)
        self.message, self.position, self.instead = message, position, instead

    def with_caret(self, text: str) -> str:
        """Returns the faulty line of ``text`` and, below it, a caret under the position with the message."""
        start = text.rfind("\n", 0, self.position) + 1
        line = text[start:].partition("\n")[0]
        return f"{line}\n{' ' * (self.position - start)}^ {self}"


class MeaningError(ValueError):
    """Raised by resolvers and operands: the name does not exist, or the value cannot be compared with it.

    The compiler turns it into a :class:`ConditionError` with the position.
    """

    def __init__(self, message: str, instead: str = "") -> None:
        super().__init__(f"{message}; {instead}" if instead else message)
        self.message, self.instead = message, instead
