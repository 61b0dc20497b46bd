"""What an account of a CRM has: the fields that can be written, and the owners. Read again after ten minutes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from connectors.crm.exchange import Answer, Call
from connectors.crm.fault import Fault, StoppedError
from connectors.crm.sink import Pause, SinkError
from connectors.crm.split import Failed
from pipeline.clock import Clock

MAX_AGE_MS: Final = 600_000


class Account(NamedTuple):
    """An account, as it was read."""

    fields: Mapping[str, Mapping[str, str]]
    """Object type → name of a field that can be written → kind."""
    owners: frozenset[str]
    """Ids of the owners that can be given leads."""


class AccountDirectory(ABC):
    """The account of one connection.

    Raises (every method):
        StoppedError: The CRM is not available now.
        SinkError: A right is missing, or the account lacks what `stitchline crm setup` creates.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read_ms = 0
        self._account = Account({}, frozenset())

    def fields(self, object_type: str) -> Mapping[str, str]:
        """Returns the fields of an object type that can be written, name → kind."""
        return self._current().fields[object_type]

    def owners(self) -> frozenset[str]:
        """Returns the ids of the owners that can be given leads."""
        return self._current().owners

    def forget(self) -> None:
        """Reads everything again at the next call."""
        self._read_ms = 0

    @abstractmethod
    def _read(self) -> Account:
        """Reads the account now."""

    def _current(self) -> Account:
        now_ms = self._clock()
        if not self._read_ms or now_ms - self._read_ms >= MAX_AGE_MS:
            self._account, self._read_ms = self._read(), now_ms
        return self._account


DirectoryT = TypeVar("DirectoryT", bound=AccountDirectory)


class DirectoryGateway(Generic[DirectoryT]):
    """The part of a gateway that its directory answers."""

    _directory: DirectoryT

    def fields(self, object_type: str) -> Mapping[str, str]:
        """Returns the fields of an object type that can be written, name → kind."""
        return self._directory.fields(object_type)

    def owners(self) -> frozenset[str]:
        """Returns the ids of the owners that can be given leads."""
        return self._directory.owners()

    def forget(self) -> None:
        """Reads fields and owners again when they are next needed."""
        self._directory.forget()


def usable(crm: str, call: Call, answer: Answer, failed: Failed | None) -> Answer:
    """Returns the answer to a request that must succeed.

    Raises:
        SinkError: The CRM does not know the path.
        StoppedError: The request failed otherwise.
    """
    if failed is not None and failed.fault is Fault.GONE:
        message = f"{crm} does not know {call.path} ({failed.words}); correct version in crm.yaml"
        raise SinkError(message)
    if failed is not None:
        raise StoppedError(Pause(0, f"{crm} gave no usable answer, {failed.words}"))
    return answer
