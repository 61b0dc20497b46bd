"""The way to a purchase: what led there, what lies in the cart, what the customer said about themselves on the way."""
