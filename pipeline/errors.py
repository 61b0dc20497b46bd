"""Errors that end a command with one line: the cause, and what to do."""


class OperatorError(Exception):
    """A fault outside the code that an operator can fix: in a server, a file, a setting or the rules."""


class MisuseError(OperatorError):
    """The command line names something that does not exist, or is malformed."""
