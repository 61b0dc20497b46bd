"""Keeps segments, scores and traits of known customers up to date in a CRM, beside the delivery of actions."""
