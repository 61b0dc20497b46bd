"""The emulators of all CRMs, by kind."""

from tests.crm.dynamics.emulator import Dynamics
from tests.crm.emulator import Crm
from tests.crm.hubspot_emulator import HubSpot
from tests.crm.salesforce.emulator import Salesforce
from tests.crm.zoho.emulator import Zoho

EMULATORS: dict[str, type[Crm]] = {"hubspot": HubSpot, "salesforce": Salesforce, "dynamics": Dynamics, "zoho": Zoho}
KINDS = tuple(EMULATORS)
