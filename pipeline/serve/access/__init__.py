"""Access control: API keys, scopes, rate limits, masking of personal data, the audit log."""
