"""Triggers with hysteresis on scores and segments, and the actions that they send to the CRM."""
