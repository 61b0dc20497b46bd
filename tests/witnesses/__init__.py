"""Other people's software as judges of ours. Each needs packages of its own and is run by hand."""
