"""The same job on other engines, and the worker beside them. Each module in it describes or is one process."""
