"""The stages, one module each: decode a batch, call the core, emit its effects."""
