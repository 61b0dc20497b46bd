"""The stages: decode a batch, call the core, emit its effects. One file each."""
