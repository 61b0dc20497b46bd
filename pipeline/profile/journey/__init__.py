"""Customer journeys: attribution, carts, survey answers and preferences."""
