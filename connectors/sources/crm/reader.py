"""The port of a CRM's reader."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from connectors.sources.crm.change import ObjectKind, Page


class CrmReader(Protocol):
    """Reads the changes of one account, stream by stream.

    Raises (every method):
        StoppedError: The CRM is not available now.
        SinkError: A right is missing, or the CRM refuses the request itself.
    """

    owner_field: str
    """The CRM's name of the owner's field, under which the ledger has it."""

    def streams(self) -> Sequence[str]:
        """Returns the names of the streams, in the order in which they are read. Each has a cursor of its own."""
        ...

    def changes(self, stream: str, cursor: str) -> Page:
        """Returns the changes after a cursor, a bounded number. ``cursor`` is "" before the first page.

        A change may be returned again. A change is never left out, unless the page names a gap.
        """
        ...


class Known(Protocol):
    """The objects that were seen before. A reader that lists whole types finds the missing ones with it."""

    def present(self, kind: ObjectKind) -> Iterable[str]:
        """Returns the ids of the objects that were last seen present, or that the sink has written."""
        ...
