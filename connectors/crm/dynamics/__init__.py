"""The Dynamics 365 mapper: leads, contacts after qualification, and notes, over the Dataverse Web API."""
