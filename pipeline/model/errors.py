"""What an operator of ``stitchline model`` can do something about; in a module that needs neither NumPy nor SciPy."""

from pipeline.errors import OperatorError


class ExportError(OperatorError, ValueError):
    """Operator action: export profiles that hold an aggregate of kind purchases, and name it."""


class FitError(OperatorError, ValueError):
    """Operator action: the message says what the history lacks; export more of it, or another currency's."""


class MissingScipyError(OperatorError, ImportError):
    """Operator action: ``pip install 'stitchline[model]'``."""
