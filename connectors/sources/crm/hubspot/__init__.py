"""Reads HubSpot: what has changed is found by search or in the webhooks journal, and read in the same form."""
