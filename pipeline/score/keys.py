"""Booking keys of scores: the keys by which a touch announces that it changed a score."""


def given_key(score: str) -> str:
    """Returns the key of bookings that give points to the score."""
    return f"score+:{score}"


def taken_key(score: str) -> str:
    """Returns the key of bookings that take points from the score."""
    return f"score-:{score}"
