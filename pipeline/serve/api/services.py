"""What the routes of one process share."""

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool

from pipeline.obs.metrics import Metrics
from pipeline.privacy.requests import PersonRequests
from pipeline.serve.access.audit import AuditLog
from pipeline.serve.access.keys import ApiKeys
from pipeline.serve.access.limits import RequestLimits
from pipeline.serve.model.store import Store
from pipeline.serve.read.reads import Reads

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Services(msgspec.Struct, frozen=True):
    """The services of the API, of the console, and of tools for agents."""

    store: Store
    reads: Reads
    persons: PersonRequests
    keys: ApiKeys
    limits: RequestLimits
    audit: AuditLog
    metrics: Metrics

    def look_up(
        self, query: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Coroutine[Any, Any, Result]:
        """Awaits a query of a few rows.

        SQLite answers it in less time than a change of threads takes, so it runs on the event loop. PostgreSQL is
        behind a network, so it runs in a thread.
        """
        if self.store.engine.dialect.name == "sqlite":
            return _at_once(query, *args, **kwargs)
        return run_in_threadpool(query, *args, **kwargs)


async def _at_once(query: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
    return query(*args, **kwargs)
