"""BottleCRM: leads, contacts and comments."""
