"""The errors that end a command with one line: their message says what is wrong and what to do."""


class OperatorError(Exception):
    """Something outside the code is wrong: a server, a file, a setting, the rules. Its operator can put it right."""


class MisuseError(OperatorError):
    """The command line names something that does not exist, or has a form that cannot be read."""
