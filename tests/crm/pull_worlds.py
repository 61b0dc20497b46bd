"""The worlds of a pull from Dynamics, Salesforce and Zoho; that of HubSpot is ``PullWorld`` itself."""

from typing import Any

import httpx2

from pipeline.event.instant import format_instant
from pipeline.rules.crm import CrmConnection, CrmField, CrmLogin
from pipeline.rules.crm_back import CrmBack, CrmTrait
from tests.crm.pull_world import PullWorld
from tests.crm.queryable_salesforce import QueryableSalesforce
from tests.crm.queryable_zoho import QueryableZoho
from tests.crm.tracked_dynamics import SERVER, TrackedDynamics

REQUIRED = (
    CrmField(to="LastName", value="contact.lastName", default="Unknown"),
    CrmField(to="Company", value="contact.company", default="Unknown"),
)
TRAITS = (CrmTrait(field="Title", trait="title"), CrmTrait(field="Status", trait="lead_status", of=("leads",)))


class SalesforceWorld(PullWorld):
    """The same, with Salesforce's queries."""

    def __init__(self) -> None:
        super().__init__()
        self.org = QueryableSalesforce(self.clock)
        self.connection = CrmConnection(
            name="sf", kind="salesforce", secret="env:CRM_SECRET", url="https://shop.my.salesforce.com",
            fields=REQUIRED, login=CrmLogin(client_id="app"), back=CrmBack(traits=TRAITS, currency="EUR", since_days=3),
        )  # fmt: skip

    def transport(self) -> httpx2.MockTransport:
        return self.org.transport()

    def key(self) -> str:
        return "token"


class DynamicsWorld(PullWorld):
    """The same, with Dataverse's change tracking."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = TrackedDynamics()
        self.connection = CrmConnection(
            name="d365", kind="dynamics", secret="env:CRM_SECRET", url=SERVER,
            login=CrmLogin(client_id="app", tenant_id="dir"),
            back=CrmBack(traits=(CrmTrait(field="jobtitle", trait="title", of=("contacts",)),), currency="EUR"),
        )  # fmt: skip

    def transport(self) -> httpx2.MockTransport:
        return self.tables.transport()

    def key(self) -> str:
        return "token"

    def put(self, table: str, row: str, /, **columns: Any) -> None:
        """Creates or changes a row, with its times."""
        now = format_instant(self.clock())
        self.tables.put(table, row, **{"createdon": now, "modifiedon": now, **columns})


class ZohoWorld(PullWorld):
    """The same, with Zoho's queries."""

    scheme = "Zoho-oauthtoken"

    def __init__(self) -> None:
        super().__init__()
        self.org = QueryableZoho(self.clock)
        self.connection = CrmConnection(
            name="zoho", kind="zoho", secret="env:CRM_SECRET", url="https://accounts.zoho.eu",
            login=CrmLogin(client_id="app", refresh_token="env:CRM_REFRESH"),
            fields=(CrmField(to="Last_Name", value="contact.lastName", default="Unknown"),),
            back=CrmBack(traits=(CrmTrait(field="Title", trait="title"),), currency="EUR", since_days=3),
        )  # fmt: skip

    def transport(self) -> httpx2.MockTransport:
        return self.org.transport()

    def key(self) -> str:
        return "token"
