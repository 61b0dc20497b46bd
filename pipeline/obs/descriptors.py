"""Reserved file descriptors, so that a process that has run out of them can still report it and shut down."""

import errno
import os
import resource
from typing import Final

from pipeline.errors import OperatorError

RESERVED: Final = 24
"""Enough to commit, close the state and write the last log lines."""


class DescriptorsError(OperatorError):
    """The process has reached its limit of open files.

    Operator action: raise the limit (``ulimit -n``, ``LimitNOFILE=``); 4,096 is enough for a worker.
    """


class DescriptorReserve:
    """Holds descriptors until :meth:`check` finds that none is left.

    Raises:
        DescriptorsError: Too few descriptors are left for the reserve.
    """

    def __init__(self) -> None:
        self._held: list[int] = []
        try:
            for _ in range(RESERVED):
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            self.release()
            raise exhausted() from error

    def check(self) -> None:
        """Releases the reserve if no descriptor is left.

        Raises:
            DescriptorsError: No descriptor is left.
        """
        try:
            os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            self.release()
            raise exhausted() from error

    def release(self) -> None:
        """Releases the reserve."""
        while self._held:
            os.close(self._held.pop())


def exhausted() -> DescriptorsError:
    """Returns an error that states the process's limit of open files."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DescriptorsError(
        f"out of file descriptors: this process may open {limit} files; raise the limit (ulimit -n 4096, "
        "LimitNOFILE=4096) and start it again, nothing is lost"
    )


def explained(error: BaseException) -> BaseException:
    """Returns the error, or a :class:`DescriptorsError` if a lack of descriptors caused it."""
    is_lack = getattr(error, "errno", None) in {errno.EMFILE, errno.ENFILE} or "Too many open files" in str(error)
    return exhausted() if is_lack else error
