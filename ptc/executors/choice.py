"""Which runner an executor takes, and what its user accepts of it."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from .dask import DaskRunner, is_dask
from .pool import PoolRunner


class AtLeastOnce(Executor):
    """An executor whose user accepts that a call may be run more than once."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        return self.executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing: whoever made the executor inside ends it."""


def at_least_once(executor: Executor) -> Executor:
    """The same executor, for tools that aren't idempotent too.

    Dask runs the calls of a lost worker again. Without this, a tool that isn't idempotent is
    refused there; with it, such a tool has to tell by itself that it was here before.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> pool = at_least_once(ThreadPoolExecutor(2))
    """
    return AtLeastOnce(executor)


def runner_on(executor: Executor) -> PoolRunner:
    """The runner for an executor.

    Raises:
        RuntimeError: it is that of a Dask client, which is closed.
    """
    accepted = isinstance(executor, AtLeastOnce)
    inside = executor.executor if isinstance(executor, AtLeastOnce) else executor
    return DaskRunner(inside, accepted) if is_dask(inside) else PoolRunner(inside)
