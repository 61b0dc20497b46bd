"""In-memory twins of the ports and a simulated log; public, for the tests of those who build on Stitchline."""
