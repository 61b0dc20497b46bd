"""Errors that end a command with one line: the cause, and what to do."""


class OperatorError(Exception):
    """A fault outside the code that an operator can fix: in a server, a file, a setting or the rules."""


class MisuseError(OperatorError):
    """The command line names something that does not exist, or is malformed."""


class SecretError(OperatorError):
    """A secret is not where a rules file refers to, or it is empty or malformed.

    Operator action: set the variable or write the file that the message names.
    """
