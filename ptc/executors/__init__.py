"""Batches on somebody else's executor: a process pool, a cluster, another thread pool."""

from .pool import at_least_once

__all__ = ["at_least_once"]
