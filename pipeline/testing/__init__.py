"""In-memory twins of the ports, a simulated log, and builders of events.

Public, for tests of code that builds on Stitchline.
"""
