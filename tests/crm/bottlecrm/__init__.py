"""A real BottleCRM (PyPI ``django-crm``) with its own PostgreSQL, both on loopback only."""
