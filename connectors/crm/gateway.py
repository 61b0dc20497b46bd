"""What differs between CRMs: reading and writing objects of one account. :class:`LeadSink` decides what is written."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from connectors.crm.split import Failed, Result
from connectors.crm.work import Held, Names, Work


class Missing(NamedTuple):
    """Something that the sink needs in the CRM and that is not there."""

    text: str
    """What is missing, or what is wrong."""
    create: Callable[[], str] | None
    """Creates it. Returns "" or the CRM's message of refusal. None if an operator has to act."""


class Gateway(Protocol):
    """One account of a CRM.

    Field values are text in the form of :func:`~connectors.crm.typed.canonical`.

    Raises (every method):
        StoppedError: The CRM is not available now.
        SinkError: A right is missing, or the account lacks what `stitchline crm setup` creates.
    """

    crm: str
    """Name of the CRM in messages."""
    names: Names
    home: str
    """The type of object that a new lead becomes."""
    objects: Sequence[str]
    """The types of object that may be a customer, contacts first."""
    batch: int
    """Maximum number of actions in one request."""
    test_values: Mapping[str, str]
    """Fields of the object that the self-test of the set-up writes."""
    conversion_leaves: str
    """Copies of a lead's personal data that a conversion makes and the API cannot find again; "" if it makes none."""

    def fields(self, object_type: str) -> Mapping[str, str]:
        """Returns the writable fields of an object type, name → kind, as read within the last minutes."""
        ...

    def owners(self) -> Collection[str]:
        """Returns the ids of active owners, as read within the last minutes; at least all that ``crm.yaml`` names."""
        ...

    def forget(self) -> None:
        """Reads fields and owners again when they are next needed."""
        ...

    def read(self, object_type: str, ids: Sequence[str], names: Sequence[str], tenant: str) -> dict[str, Held]:
        """Returns id → object. Omits objects that the CRM does not find."""
        ...

    def find(self, keys: Sequence[str], tenant: str) -> dict[str, str]:
        """Returns action id → id of the ``home`` object that carries it, also of a converted one. Omits others."""
        ...

    def follow(self, object_type: str, object_id: str, names: Sequence[str], tenant: str) -> Held | Failed | None:
        """Returns what became of an object that :meth:`read` omits: the survivor of a merge, or None if deleted."""
        ...

    def update(self, object_type: str, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes ``sent`` of different existing objects. Returns a result for each, with the owner that is kept."""
        ...

    def upsert(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Creates objects under their action ids, or writes those that are there after a lost answer."""
        ...

    def note_text(self, work: Work) -> str:
        """Returns the story of a lead in the CRM's form."""
        ...

    def write_notes(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes each work's note and attaches it to its object. Returns a result with the note's id for each."""
        ...

    def delete(self, object_type: str, object_id: str) -> Failed | None:
        """Deletes an object with its notes. Returns None or why the CRM refuses."""
        ...

    def missing(self) -> Iterator[Missing]:
        """Yields what the account lacks, in the order in which it has to be created."""
        ...
