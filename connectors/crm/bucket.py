"""Token buckets: how many requests a tenant may send to a CRM under each of its limits. Time is a parameter.

>>> bucket = Bucket(burst=2, per_second=1.0)
>>> [bucket.take(now_ms=0) for _ in range(3)]
[0, 0, 1000]
"""

from collections.abc import Mapping
from typing import NamedTuple


class Limit(NamedTuple):
    """A limit of a CRM: ``burst`` requests at once, refilled with ``per_second``."""

    burst: float
    per_second: float


class Bucket:
    """The requests left under one limit."""

    def __init__(self, burst: float, per_second: float) -> None:
        self._burst, self._per_ms = burst, per_second / 1000
        self._left = burst
        self._at_ms: int | None = None

    def take(self, now_ms: int, cost: float = 1.0) -> int:
        """Takes ``cost`` tokens and returns 0; takes none and returns the milliseconds to wait if too few are left."""
        if self._at_ms is not None:
            self._left = min(self._burst, self._left + max(0, now_ms - self._at_ms) * self._per_ms)
        self._at_ms = now_ms
        cost = min(cost, self._burst)
        if self._left >= cost:
            self._left -= cost
            return 0
        return max(1, round((cost - self._left) / self._per_ms))


class Buckets:
    """One bucket per tenant and policy of one CRM connection. A policy without a limit is not limited."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self._limits = dict(limits)
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def take(self, tenant: str, policy: str, now_ms: int, cost: float = 1.0) -> int:
        """Returns 0 if a request that counts as ``cost`` requests may be sent now, else the milliseconds to wait."""
        limit = self._limits.get(policy)
        if limit is None:
            return 0
        bucket = self._buckets.setdefault((tenant, policy), Bucket(*limit))
        return bucket.take(now_ms, cost)
