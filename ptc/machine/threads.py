"""An Executor of daemon threads that wait some seconds for the next batch.

The standard pool waits for its threads when the interpreter ends, so one hung tool keeps a script
alive for ever; these threads don't. They are kept for a while because starting sixteen takes
milliseconds, and an agent runs many batches (after trio's thread cache).
"""

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

IDLE_SECONDS = 5.0  # how long a thread waits for its next job
MOST_IDLE = 32  # a thread that would be one more ends at once
_numbers = itertools.count(1)


class DaemonThreadExecutor(Executor):
    """A ``concurrent.futures.Executor`` on daemon threads; ``max_workers=None`` sets no bound.

    Raises:
        ValueError: ``max_workers`` is below 1.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        if max_workers is not None and max_workers < 1:
            raise ValueError(f"max_workers={max_workers!r} must be at least 1, or None")
        self._most = float("inf") if max_workers is None else max_workers
        self._jobs: deque[tuple[Future, Callable[..., Any], tuple, dict]] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._threads = self._idle = self._woken = 0
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("cannot submit to an executor after its shutdown")
            if self._idle > self._woken:
                self._woken += 1
                self._changed.notify()
            elif self._threads < self._most:
                name = f"ptc-{next(_numbers)}"
                threading.Thread(target=self._live, name=name, daemon=True).start()
                self._threads += 1
            self._jobs.append((future, fn, args, kwargs))
        return future

    def _live(self) -> None:
        while job := self._next_job():
            future, fn, args, kwargs = job
            if future.set_running_or_notify_cancel():
                try:
                    result = fn(*args, **kwargs)
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            del job, future, fn, args, kwargs  # an idle thread must keep nothing alive

    def _next_job(self) -> tuple[Future, Callable[..., Any], tuple, dict] | None:
        with self._changed:
            while not self._jobs:
                if self._closed or self._idle >= MOST_IDLE:
                    return self._leave()
                self._idle += 1
                in_time = self._changed.wait(IDLE_SECONDS)
                self._idle -= 1
                if self._woken:  # also one that was woken at the moment its time was over
                    self._woken -= 1
                elif not in_time:
                    return self._leave()
            return self._jobs.popleft()

    def _leave(self) -> None:
        self._threads -= 1
        if self._closed:
            self._changed.notify_all()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._changed:
            self._closed = True
            if cancel_futures:
                for future, *_ in self._jobs:
                    future.cancel()
            self._changed.notify_all()
            while wait and self._threads:
                self._changed.wait()


THREADS = DaemonThreadExecutor()
"""The process's own threads, shared by all batches; each batch keeps to its own bound."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=THREADS.__init__)
