"""Recognises the errors of a full disk, whichever library raises them."""

import errno
from typing import Final

from pipeline.errors import OperatorError
from pipeline.obs import descriptors

CODES: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
TEXTS: Final = ("No space left on device", "Disk quota exceeded", "File too large")
"""RocksDB raises plain exceptions with the system's message."""


class DiskFullError(OperatorError):
    """The disk is full.

    Operator action: free space, then start the process again; see deploy/runbooks/disk-full.md.
    """


def explained(error: BaseException) -> BaseException:
    """Returns the error, or an OperatorError if a full disk or a lack of descriptors caused it."""
    if isinstance(error, OperatorError):
        return error
    if getattr(error, "errno", None) in CODES or any(text in str(error) for text in TEXTS):
        return DiskFullError(
            "the disk is full: free space on the disk of STITCHLINE_HOME, see deploy/runbooks/disk-full.md, and start "
            "again; nothing is lost"
        )
    return descriptors.explained(error)
