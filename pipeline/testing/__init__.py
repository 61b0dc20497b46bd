"""In-memory twins of the ports, a simulated log, and builders of events.

Public, for the tests of those who build on Stitchline.
"""
