"""Builds the reader and the translation of a connection of ``crm.yaml``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from connectors.crm.exchange import Send
from connectors.sources.crm.bottlecrm import BottleCrmReader
from connectors.sources.crm.document import Documents
from connectors.sources.crm.dynamics import DynamicsReader
from connectors.sources.crm.hubspot.journal import HubSpotJournalReader
from connectors.sources.crm.hubspot.search import HubSpotReader
from connectors.sources.crm.reader import CrmReader, Known
from connectors.sources.crm.salesforce import SalesforceReader
from connectors.sources.crm.zoho import ZohoReader
from pipeline.clock import Clock
from pipeline.errors import MisuseError
from pipeline.event.identifier import Identifier
from pipeline.event.recognise import Recogniser
from pipeline.event.rules import IdentifierType, IntakeRules
from pipeline.rules.crm import CrmConnection
from pipeline.rules.normalisers import normalisers

MakeReader: TypeAlias = Callable[[CrmConnection, Send, Clock, Known], CrmReader]
READERS: Final[Mapping[str, MakeReader]] = {
    "bottlecrm": BottleCrmReader,
    "dynamics": DynamicsReader,
    "hubspot": lambda connection, send, clock, _: _hubspot(connection, send, clock),
    "salesforce": lambda connection, send, clock, _: SalesforceReader(connection, send, clock),
    "zoho": lambda connection, send, clock, _: ZohoReader(connection, send, clock),
}


def open_reader(connection: CrmConnection, send: Send, clock: Clock, known: Known) -> CrmReader:
    """Returns the reader of a connection.

    Raises:
        MisuseError: Nothing can be read from CRMs of this kind.
    """
    make = READERS.get(connection.kind)
    if make is None:
        message = f"stitchline cannot read back from {connection.kind} yet; it can from {', '.join(sorted(READERS))}"
        raise MisuseError(message)
    return make(connection, send, clock, known)


def _hubspot(connection: CrmConnection, send: Send, clock: Clock) -> CrmReader:
    journal = connection.back.journal
    if journal is None:
        return HubSpotReader(connection, send, clock)
    return HubSpotJournalReader(connection, journal, send, clock)


def documents_of(connection: CrmConnection, rules: IntakeRules, types: Iterable[IdentifierType]) -> Documents:
    """Returns the maker of a connection's events."""
    resolve = Recogniser(tuple(types), normalisers(rules.default_country)).resolve

    def recognise(ident: Identifier) -> Identifier:
        accepted = resolve((ident,))[0]
        return accepted[0] if accepted else ""

    return Documents(connection, recognise)
