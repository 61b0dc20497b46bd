"""stamina without its log lines: a caller that retries reports its outcome, not each attempt."""

import stamina
import stamina.instrumentation
from stamina import RetryingCaller, retry_context

__all__ = ["RetryingCaller", "retry_context"]

# stamina's own hooks write through structlog, which an unconfigured command prints to standard output, into its --json.
stamina.instrumentation.set_on_retry_hooks([])
