"""The pages: each function turns a visit into a response."""
