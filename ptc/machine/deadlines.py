"""The moments at which calls have to be answered, whether or not they have ended."""

import heapq
import math
from itertools import count
from typing import NamedTuple

from .state import CallState


class Deadline(NamedTuple):
    """``moment``: seconds since the batch began. Compared by it, and then by who came first.

    ``starved``: it is for a call that waits for what abandoned calls hold, and is void as soon as
    that is no longer so; otherwise it is the timeout of a call that runs.
    """

    moment: float
    ticket: int
    state: CallState
    starved: bool


class Deadlines:
    """A heap of deadlines. Its batch's lock guards it; ``next`` alone may be read without."""

    def __init__(self) -> None:
        self._heap: list[Deadline] = []
        self._tickets = count()
        self.next = math.inf
        """When the first is due, or sooner: some may be of calls that have their answer."""

    def set(self, moment: float, state: CallState, starved: bool) -> bool:
        """Add one, and say whether it is the first of all."""
        first = moment < self.next
        heapq.heappush(self._heap, Deadline(moment, next(self._tickets), state, starved))
        self.next = self._heap[0].moment
        return first

    def take_due(self, now: float) -> list[Deadline]:
        """Take out those that are due, and those before them whose calls have their answer."""
        due = []
        while self._heap and (self._heap[0].moment <= now or self._heap[0].state.result):
            deadline = heapq.heappop(self._heap)
            if deadline.state.result is None:
                due.append(deadline)
        self.next = self._heap[0].moment if self._heap else math.inf
        return due

    def clear(self) -> None:
        """Drop all: the batch is over."""
        self._heap.clear()
        self.next = math.inf
