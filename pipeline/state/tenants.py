"""One table for all tenants: each tenant has a view of its own keys, and all views share one limit of cached rows."""

import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any, Generic, TypeVar

from pipeline.event.identifier import ANCHOR_SEPARATOR
from pipeline.state.store import Change
from pipeline.state.view import TableView, msgpack_view

Row = TypeVar("Row")


class TenantViews(Generic[Row]):
    """Rows stored under ``tenant/key``. A tenant's view takes keys without the tenant.

    Views are never dropped: there are few tenants.
    """

    def __init__(self, family: str, store: Any, row_type: type[Row], cached_rows: int) -> None:
        self.family = family
        self._store, self._row_type, self._generation_rows = store, row_type, max(1, cached_rows // 2)
        self._views: dict[str, TableView[Row]] = {}

    def of(self, tenant: str) -> TableView[Row]:
        """Returns the view of the tenant's part of the table."""
        view = self._views.get(tenant)
        if view is None:
            prefix = tenant + ANCHOR_SEPARATOR
            # No limit per view: committed() ages all views together.
            view = msgpack_view(self.family, self._store, self._row_type, sys.maxsize, prefix=prefix)
            self._views[tenant] = view
        return view

    def changes(self) -> Iterator[Change]:
        """Yields the rows of all tenants changed since the last commit."""
        return chain.from_iterable(view.changes() for view in self._views.values())

    def committed(self) -> None:
        """Called after the result of :meth:`changes` has become durable. Ages all caches if together they are full."""
        views = self._views.values()
        for view in views:
            view.committed()
        if sum(view.young() for view in views) > self._generation_rows:
            for view in views:
                view.age()

    def forget(self) -> None:
        """Discards all changes and cached rows: the unit of work was aborted."""
        for view in self._views.values():
            view.forget()

    def cached(self) -> int:
        """Returns the number of decoded rows in memory."""
        return sum(view.cached() for view in self._views.values())

    def take_misses(self) -> int:
        """Returns the number of rows read from the store since the last call."""
        return sum(view.take_misses() for view in self._views.values())
