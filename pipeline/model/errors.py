"""Errors of ``stitchline model`` that an operator can fix. This module imports neither NumPy nor SciPy."""

from pipeline.errors import OperatorError


class ExportError(OperatorError, ValueError):
    """The export holds no usable purchases.

    Operator action: export profiles that have an aggregate of kind purchases, and name the aggregate.
    """


class FitError(OperatorError, ValueError):
    """The purchase history does not allow a fit.

    Operator action: the message states what is missing. Export a longer history or choose another currency.
    """


class MissingScipyError(OperatorError, ImportError):
    """SciPy is not installed. Operator action: ``pip install 'stitchline[model]'``."""
