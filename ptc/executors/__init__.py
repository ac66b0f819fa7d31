"""Batches on somebody else's executor: a process pool, a cluster, another thread pool."""

from .choice import at_least_once, runner_on

__all__ = ["at_least_once", "runner_on"]
