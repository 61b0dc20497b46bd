"""The read model: tables, the fold of each kind of record, the writer that follows the topics."""
