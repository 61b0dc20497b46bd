"""What we know of a customer: one ledger per anchor, folded into the profile everyone sees."""
