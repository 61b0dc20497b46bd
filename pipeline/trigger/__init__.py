"""What to do about it: thresholds with hysteresis, and the action that goes to the CRM."""
