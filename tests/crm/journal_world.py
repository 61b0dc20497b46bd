"""A whole pull from HubSpot's webhooks journal in one process."""

from typing import Any

from connectors.crm.access_key import AccessKey
from connectors.crm.hubspot.subscriptions import Subscriptions
from connectors.crm.oauth import log_in_to_journal
from pipeline.rules.crm_back import CrmJournal
from tests.crm.hubspot_journal import APP, APP_SECRET, PORTAL, JournaledHubSpot
from tests.crm.pull_world import PullWorld

JOURNAL = CrmJournal(portal=PORTAL, client_id=APP, secret=APP_SECRET)


class JournalWorld(PullWorld):
    """The same account, with an app whose subscriptions the set-up has created."""

    account = JournaledHubSpot
    hub: JournaledHubSpot

    def __init__(self, **back: Any) -> None:
        super().__init__(**{"journal": JOURNAL, **back})
        self.subscribe()

    def subscribe(self) -> None:
        """Creates what is missing, as `stitchline crm setup` does."""
        for one in Subscriptions(JOURNAL, self.connection.back, self.http().send).missing():
            assert one.create is not None
            assert one.create() == ""

    def journal_key(self) -> AccessKey | None:
        return AccessKey(
            lambda: log_in_to_journal(self.client(), self.connection, JOURNAL, self.hub.secrets.__getitem__)
        )


WORLDS = {"search": PullWorld, "journal": JournalWorld}
"""Both ways to find HubSpot's changes, which have the same contract."""
