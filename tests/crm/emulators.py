"""The emulators of all CRMs, by kind."""

from tests.crm.emulator import Crm
from tests.crm.hubspot_emulator import HubSpot

EMULATORS: dict[str, type[Crm]] = {"hubspot": HubSpot}
KINDS = tuple(EMULATORS)
