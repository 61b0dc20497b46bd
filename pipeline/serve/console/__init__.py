"""The console at ``/``: server-rendered pages for marketers, representatives and operators.

1. ``app`` names the pages, the right that each needs, and the methods that it takes.
2. ``guard`` finds the session, checks right and CSRF token, reads the form, runs the page, and answers faults.
3. ``pages`` turn a visit into a response: they read through ``data``, never Kafka or a table themselves.
4. ``render`` fills templates, which escape everything; ``formats`` has their filters.
"""
