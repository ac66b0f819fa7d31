"""The calls of a batch that are ready, in the order in which they start."""

import heapq
from collections import deque
from collections.abc import Iterable
from itertools import count
from typing import Literal, NamedTuple, Protocol

from .state import CallState

Order = Literal["as asked", "longest first", "one by one"]
"""Which call starts next. One by one: a call that has to wait holds up all behind it."""


class ReadyCalls(Protocol):
    """Where a batch keeps its ready calls. Its lock guards it."""

    def __len__(self) -> int: ...

    def add(self, state: CallState, /) -> None:
        """Take in a call that has just become ready."""
        ...

    def put_back(self, state: CallState, /) -> None:
        """Take in a call again that had been taken out before."""
        ...

    def pop(self) -> CallState:
        """Take out the call that starts next."""
        ...

    def clear(self) -> None:
        """Drop them all."""
        ...


class InOrder(deque[CallState]):
    """First come, first served; what is put back comes first."""

    add = deque.append
    put_back = deque.appendleft
    pop = deque.popleft


class _Entry(NamedTuple):
    """Compared by the length of its chain, longest first, and then by its place in the request."""

    minus_length: float
    place: int
    ticket: int
    state: CallState


class LongestChainFirst:
    """The call with the longest chain of expected seconds behind it; ties in request order."""

    def __init__(self, chains: dict[CallState, float], states: Iterable[CallState] = ()) -> None:
        self._chains = chains
        self._heap: list[_Entry] = []
        self._tickets = count()
        for state in states:
            self.add(state)

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, state: CallState) -> None:
        length = self._chains.get(state, 0.0)
        heapq.heappush(self._heap, _Entry(-length, state.index, next(self._tickets), state))

    put_back = add

    def pop(self) -> CallState:
        return heapq.heappop(self._heap).state

    def clear(self) -> None:
        self._heap.clear()
