"""What is wrong with a condition, where, and what to write instead."""


class ConditionError(ValueError):
    """A text that is no condition, or one that means nothing here.

    Operator action: write what ``instead`` says at ``position``, which counts characters of the text from 0.
    """

    def __init__(self, message: str, position: int, instead: str = "") -> None:
        super().__init__(f"{message}; {instead}" if instead else message)
        self.message, self.position, self.instead = message, position, instead

    def with_caret(self, text: str) -> str:
        """The line of ``text`` that is meant, with a mark under the place, and what is wrong."""
        start = text.rfind("\n", 0, self.position) + 1
        line = text[start:].partition("\n")[0]
        return f"{line}\n{' ' * (self.position - start)}^ {self}"


class MeaningError(ValueError):
    """A name there is not, or a value that a name cannot be compared with: what those raise who say what names mean.

    The compiler makes a :class:`ConditionError` of it, which also says where.
    """

    def __init__(self, message: str, instead: str = "") -> None:
        super().__init__(f"{message}; {instead}" if instead else message)
        self.message, self.instead = message, instead
