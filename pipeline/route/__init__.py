"""Which representative gets a lead: whoever has the customer, whoever has the account, a fair share of the rest."""
