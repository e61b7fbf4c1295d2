"""Priority of the current request: set where the request is admitted, read where its database work is queued."""

from contextvars import ContextVar

has_priority: ContextVar[bool] = ContextVar("has_priority", default=False)
"""Whether database work of this request, and of tasks it starts, goes ahead of other work that is already queued."""
