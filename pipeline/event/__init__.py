"""Events: identifiers, the canonical event, how raw input is parsed into one, and INTAKE's decisions about it."""
