"""One table of many tenants: a view for each over its part of the keys, all within one bound of cached rows."""

import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any, Generic, TypeVar

from pipeline.event.identifier import ANCHOR_SEPARATOR
from pipeline.state.store import Change
from pipeline.state.view import TableView, msgpack_view

Row = TypeVar("Row")


class TenantViews(Generic[Row]):
    """Rows under ``tenant/key``. Who works for one tenant asks without it, and no look-up has to put the two together.

    A tenant's view stays for good; there are few tenants.
    """

    def __init__(self, family: str, store: Any, row_type: type[Row], cached_rows: int) -> None:
        self.family = family
        self._store, self._row_type, self._generation_rows = store, row_type, max(1, cached_rows // 2)
        self._views: dict[str, TableView[Row]] = {}

    def of(self, tenant: str) -> TableView[Row]:
        """The tenant's part of the table."""
        view = self._views.get(tenant)
        if view is None:
            prefix = tenant + ANCHOR_SEPARATOR
            # no bound of its own: all age together, in committed()
            view = msgpack_view(self.family, self._store, self._row_type, sys.maxsize, prefix=prefix)
            self._views[tenant] = view
        return view

    def changes(self) -> Iterator[Change]:
        """The rows changed since the last commit, of all tenants."""
        return chain.from_iterable(view.changes() for view in self._views.values())

    def committed(self) -> None:
        """What :meth:`changes` gave is durable; the caches may now shrink, all at once as if they were one."""
        views = self._views.values()
        for view in views:
            view.committed()
        if sum(view.young() for view in views) > self._generation_rows:
            for view in views:
                view.age()

    def forget(self) -> None:
        """The unit of work was aborted."""
        for view in self._views.values():
            view.forget()

    def cached(self) -> int:
        """Decoded rows held now."""
        return sum(view.cached() for view in self._views.values())

    def take_misses(self) -> int:
        """Rows read from the store since the last call."""
        return sum(view.take_misses() for view in self._views.values())
