"""The Salesforce mapper: leads, contacts after conversion, and completed tasks."""
