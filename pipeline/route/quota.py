"""Sharing one by one, so that at every moment nobody is a whole lead away from their part.

The quota method of M. L. Balinski and H. P. Young ("The Quota Method of Apportionment", American Mathematical Monthly
82, 1975, pp. 701-730). Of those whom one more would not lift above their quota rounded up, the one with the largest
``weight / (given + 1)`` is next. They prove that after every lead each has their quota rounded down or up. Plain
divisor methods (largest ``weight / (given + 1)`` of all) can exceed it by any number when weights differ much.

>>> given = {"ann": 0, "bob": 0}
>>> for _ in range(5):
...     given[next_by_quota({"ann": 3, "bob": 2}, given)] += 1
>>> given
{'ann': 3, 'bob': 2}
"""

from collections.abc import Mapping


def next_by_quota(weights: Mapping[str, int], given: Mapping[str, int]) -> str:
    """Whose turn it is, given how many each has had since all of ``weights`` began; ties by name.

    ``weights`` must not be empty, and ``given`` be what this function gave, starting from none.
    """
    whole, size = sum(weights.values()), sum(given[name] for name in weights) + 1
    chosen = ""
    for name in sorted(weights):
        weight, has = weights[name], given[name]
        below_quota = has * whole < weight * size
        if below_quota and (not chosen or weight * (given[chosen] + 1) > weights[chosen] * (has + 1)):
            chosen = name
    return chosen
