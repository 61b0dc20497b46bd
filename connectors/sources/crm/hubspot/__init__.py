"""Reads HubSpot's objects. Finds the changed ones by search or in the webhooks journal; both return the same form."""
