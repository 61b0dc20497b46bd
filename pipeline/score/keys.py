"""By which keys decisions that read a score follow what is booked."""


def given_key(score: str) -> str:
    """Rules that give points were matched."""
    return f"score+:{score}"


def taken_key(score: str) -> str:
    """Rules that take points were matched."""
    return f"score-:{score}"
