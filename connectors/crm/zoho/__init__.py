"""The Zoho CRM mapper: leads, contacts after conversion, and notes."""
