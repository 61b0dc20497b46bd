"""Assigns leads to representatives: to the customer's owner, to the account's owner, the rest in fair shares."""
