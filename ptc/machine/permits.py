"""The places of a tool that may run only so many times at once, over all batches."""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .batch import Batch
    from .run import CallRun


class Places:
    """``limit`` places. Who finds none free waits in line, without a worker.

    A call that was abandoned keeps its place until its thread really ends: that it was given up
    doesn't make the tool safe for one more.
    """

    def __init__(self, limit: int) -> None:
        self.limit = self._free = limit
        self._abandoned = 0
        self._waiting: OrderedDict[CallRun, None] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def stuck(self) -> bool:
        """Is every place held by a call that was abandoned?"""
        return self._abandoned >= self.limit

    def take(self, run: "CallRun") -> bool:
        """A place for the run at once; else False, and ``run.batch`` will admit it later."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            self._waiting[run] = None
            return False

    def give_back(self, by: "Batch | None" = None, abandoned: bool = False) -> None:
        """Hand the place to the first in line whose batch still wants it. Holds no lock then."""
        with self._lock:
            self._abandoned -= abandoned
        while True:
            with self._lock:
                if not self._waiting:
                    self._free += 1
                    return
                run, _ = self._waiting.popitem(last=False)
            if run.batch.admit(run, by):
                return

    def abandon(self) -> None:
        """Note that the call in one of the places was given up; tell those who wait in vain."""
        with self._lock:
            self._abandoned += 1
            starved = list(self._waiting) if self.stuck else []
        for run in starved:
            run.batch.starve(run)

    def forget(self, run: "CallRun") -> None:
        """Take a run out of the line."""
        with self._lock:
            self._waiting.pop(run, None)
