"""Event names: the same event has one meaning, whichever way its words are joined and capitalised.

>>> fold_name("Order Completed") == fold_name("order_completed") == fold_name("orderCompleted") == "ordercompleted"
True
"""

from functools import lru_cache


@lru_cache(maxsize=1 << 13)
def fold_name(name: str) -> str:
    """The letters and digits of a name in lower case: what event names are compared by. They are shown as sent."""
    return "".join(filter(str.isalnum, name)).casefold() or name
