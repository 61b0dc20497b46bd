"""How warm a customer is: points counted as integers, decayed and explained when read."""
