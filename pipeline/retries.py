"""stamina without its log lines. Callers report the outcome, not each attempt."""

import stamina
import stamina.instrumentation
from stamina import RetryingCaller, retry_context

__all__ = ["RetryingCaller", "retry_context"]

# stamina's hooks log through structlog, which by default prints to standard output and so into a command's --json.
stamina.instrumentation.set_on_retry_hooks([])
