"""The default rules and how rules files are read, checked and explained."""
