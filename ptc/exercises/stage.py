"""A pool that finishes its jobs in an order of our choice: who ends first is not left to luck."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

_PATIENCE = 0.5  # seconds until we believe that nobody is going to wait for the results


class StagedPool(Executor):
    """Runs each job when it is submitted, and ends them in ``order``, by their places.

    ``StagedPool([2, 0, 1])`` ends the third job first, then the first, then the second, and none
    before all have been submitted and somebody waits for one of them. ``submitted`` counts jobs.
    """

    def __init__(self, order: Sequence[int]) -> None:
        self.order = list(order)
        self.submitted = 0
        self._jobs: list[tuple[Future, Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        future.set_running_or_notify_cancel()
        self._jobs.append((future, lambda: fn(*args, **kwargs)))
        self.submitted += 1
        if self.submitted == len(self.order):
            threading.Thread(target=self._finish_all, daemon=True).start()
        return future

    def _finish_all(self) -> None:
        outcomes = [_outcome(job) for _, job in self._jobs]
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and not any(map(_is_awaited, self._jobs)):
            time.sleep(0.001)
        for place in self.order:
            value, error = outcomes[place]
            future, _ = self._jobs[place]
            future.set_exception(error) if error else future.set_result(value)


def _outcome(job: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return job(), None
    except BaseException as error:
        return None, error


def _is_awaited(job: tuple[Future, Any]) -> bool:
    """Does anybody wait for it: by ``as_completed`` or ``wait``, a callback, or ``result``?"""
    future: Any = job[0]  # what tells it is not public
    return bool(future._waiters or future._done_callbacks or future._condition._waiters)
