"""Event names: spellings that differ only in separators and capitals are the same event.

>>> fold_name("Order Completed") == fold_name("order_completed") == fold_name("orderCompleted") == "ordercompleted"
True
"""

from functools import lru_cache


@lru_cache(maxsize=1 << 13)
def fold_name(name: str) -> str:
    """Returns the letters and digits of a name in lower case, the form in which event names are compared."""
    return "".join(filter(str.isalnum, name)).casefold() or name
