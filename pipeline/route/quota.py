"""Sequential sharing by weight: after every lead, every member is less than one lead away from their exact share.

This is the quota method of M. L. Balinski and H. P. Young ("The Quota Method of Apportionment", American Mathematical
Monthly 82, 1975, pp. 701-730). A member's quota is their weight's share of all leads so far. A member is eligible if
one more lead keeps them within their quota rounded up. Of the eligible members, the one with the largest
``weight / (given + 1)`` is next. The paper proves that after every lead each member has their quota, rounded down or
up. Plain divisor methods (the largest ``weight / (given + 1)`` of all members) can exceed it by any number if weights
differ much.

>>> given = {"ann": 0, "bob": 0}
>>> for _ in range(5):
...     given[next_by_quota({"ann": 3, "bob": 2}, given)] += 1
>>> given
{'ann': 3, 'bob': 2}
"""

from collections.abc import Mapping


def next_by_quota(weights: Mapping[str, int], given: Mapping[str, int]) -> str:
    """Returns the name of the next member; ties go to the first by name.

    ``weights`` must not be empty. ``given`` counts what this function has returned for the same weights so far.
    """
    total_weight, size = sum(weights.values()), sum(given[name] for name in weights) + 1
    chosen = ""
    for name in sorted(weights):
        weight, has = weights[name], given[name]
        below_quota = has * total_weight < weight * size
        if below_quota and (not chosen or weight * (given[chosen] + 1) > weights[chosen] * (has + 1)):
            chosen = name
    return chosen
