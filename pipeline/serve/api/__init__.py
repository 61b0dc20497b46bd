"""The HTTP API: ``/v1``, its description, and errors as RFC 9457 problems."""
