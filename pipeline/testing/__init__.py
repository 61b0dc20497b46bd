"""In-memory twins of the ports, a simulated log and factories; public, for the tests of those who build on Stitchline."""
