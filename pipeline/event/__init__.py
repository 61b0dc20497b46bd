"""What an event is: identifiers, the canonical event, how raw input becomes one, and what INTAKE decides about it."""
