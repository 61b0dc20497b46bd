"""File descriptors kept back, so that a process that has used up its own can still say so and end in order."""

import errno
import os
import resource
from typing import Final

from pipeline.errors import OperatorError

RESERVED: Final = 24
"""Enough to commit, to close the state and to write the last lines."""


class DescriptorsError(OperatorError):
    """The process may open no more files.

    Operator action: raise the limit (``ulimit -n``, ``LimitNOFILE=``); 4,096 is enough for a worker.
    """


class DescriptorReserve:
    """Holds descriptors until :meth:`check` finds that no other is left.

    Raises:
        DescriptorsError: The process cannot even open the reserve.
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
        """Releases the reserve if the process may open no more files.

        Raises:
            DescriptorsError: That is so.
        """
        try:
            os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            self.release()
            raise exhausted() from error

    def release(self) -> None:
        """Gives all back."""
        while self._held:
            os.close(self._held.pop())


def exhausted() -> DescriptorsError:
    """Returns the error that says how many files the process may open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DescriptorsError(
        f"out of file descriptors: this process may open {limit} files; raise the limit (ulimit -n 4096, "
        "LimitNOFILE=4096) and start it again, nothing is lost"
    )


def explained(error: BaseException) -> BaseException:
    """Returns the error, or a :class:`DescriptorsError` if it comes from a lack of descriptors."""
    is_lack = getattr(error, "errno", None) in {errno.EMFILE, errno.ENFILE} or "Too many open files" in str(error)
    return exhausted() if is_lack else error
