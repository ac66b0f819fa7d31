"""The timeline to expect, and the bound that none can beat, without running anything."""

import math
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from graphlib import CycleError, TopologicalSorter
from heapq import heapify, heappop, heappush, heapreplace
from typing import NamedTuple

from .spans import Span, worker_names

__all__ = ["longest_chain", "lower_bound", "schedule"]

# For each call, the indices of those that must end before it starts.
Predecessors = Sequence[AbstractSet[int]]


def schedule(
    durations: Sequence[float],
    workers: int,
    labels: Sequence[str] | None = None,
    *,
    predecessors: Predecessors | None = None,
) -> list[Span]:
    """The timeline to expect, without running anything: list scheduling (Graham, 1966).

    The calls start in the order given, each on the worker that is free first, the lowest number
    where several are. ``spans[i]`` belongs to ``durations[i]``. ``labels`` names the calls; by
    default they are "call 1", "call 2" and so on.

        >>> [span.start for span in schedule([0.1, 0.1, 0.4], 2)]
        [0.0, 0.0, 0.1]

    Longest first: ``schedule(sorted(durations, reverse=True), workers)``.

    ``predecessors[i]`` are the indices of the calls that must end before call ``i`` starts. A call
    that waits for them holds no worker: a later one that can start goes ahead.

        >>> waits_for_the_first = [set(), {0}, set()]
        >>> [span.start for span in schedule([1, 1, 1], 2, predecessors=waits_for_the_first)]
        [0.0, 1.0, 0.0]

    Raises:
        ValueError: a duration is not a number of seconds from 0 up, or calls wait in a circle.
    """
    _check_durations(durations)
    names = worker_names(workers)
    if labels is None:
        labels = [f"call {number}" for number in range(1, len(durations) + 1)]
    if len(labels) != len(durations):
        raise ValueError(f"{len(labels)} labels for {len(durations)} durations")
    if predecessors is not None:
        return _schedule_as_they_wait(durations, names, labels, predecessors)
    free = [(0.0, index) for index in range(min(workers, len(durations)))]
    timeline = []
    for label, seconds in zip(labels, durations, strict=True):
        start, index = free[0]
        heapreplace(free, (start + seconds, index))
        timeline.append(Span(label, names[index], start, start + seconds))
    return timeline


class _Running(NamedTuple):
    end: float
    worker: int
    call: int


def _schedule_as_they_wait(
    durations: Sequence[float],
    names: Sequence[str],
    labels: Sequence[str],
    predecessors: Predecessors,
) -> list[Span]:
    """Goes from one end of a call to the next; there the calls start that can, in order."""
    waiting = _graph(predecessors, len(durations))
    with _circles_said():
        waiting.prepare()
    now, running, free = 0.0, [], list(range(len(names)))
    ready = list(waiting.get_ready())
    heapify(ready)
    timeline: dict[int, Span] = {}
    while ready or running:
        if ready and free:
            call, worker = heappop(ready), heappop(free)
            end = now + durations[call]
            timeline[call] = Span(labels[call], names[worker], now, end)
            heappush(running, _Running(end, worker, call))
        else:
            now = running[0].end
        while running and running[0].end <= now:  # also one that takes no time, and has just begun
            ended = heappop(running)
            heappush(free, ended.worker)
            waiting.done(ended.call)
            for call in waiting.get_ready():
                heappush(ready, call)
    return [timeline[call] for call in range(len(durations))]


def lower_bound(
    durations: Sequence[float], workers: int, *, predecessors: Predecessors | None = None
) -> float:
    """The makespan that no order of starts can beat: max(longest call, total work / workers).

        >>> lower_bound([0.4, 0.1, 0.1], 2)
        0.4

    0 for no calls. :func:`schedule` stays below ``total / workers + (1 - 1 / workers) * longest``,
    and so below twice this bound (Graham, 1966). Where calls wait for ``predecessors``, the longest
    chain of them stands in the place of the longest call.
    """
    if workers < 1:
        raise ValueError(f"a timeline needs at least 1 worker, got workers={workers}")
    longest = longest_chain(durations, predecessors)
    return max(longest, math.fsum(durations) / workers)


def longest_chain(durations: Sequence[float], predecessors: Predecessors | None = None) -> float:
    """Seconds of the longest chain of calls that wait for each other; without any, of a call.

    >>> longest_chain([1, 2, 4], [set(), {0}, set()])
    4.0
    """
    _check_durations(durations)
    if predecessors is None:
        return max(durations, default=0.0)
    ends: dict[int, float] = {}
    with _circles_said():
        for call in _graph(predecessors, len(durations)).static_order():
            began = max((ends[other] for other in predecessors[call]), default=0.0)
            ends[call] = began + durations[call]
    return max(ends.values(), default=0.0)


def _check_durations(durations: Sequence[float]) -> None:
    if len(durations) and min(durations) >= 0 and sum(durations) < math.inf:  # none is NaN then
        return
    for seconds in durations:
        if not 0 <= seconds < math.inf:  # NaN compares as False
            raise ValueError(f"a duration is a number of seconds from 0 up, got {seconds!r}")


def _graph(predecessors: Predecessors, calls: int) -> TopologicalSorter[int]:
    if len(predecessors) != calls:
        raise ValueError(f"predecessors of {len(predecessors)} calls for {calls} durations")
    known = range(calls)
    for call, others in enumerate(predecessors):
        for other in others:
            if other not in known:
                raise ValueError(f"call {call} can't wait for call {other!r}: there are {calls}")
    return TopologicalSorter(dict(enumerate(predecessors)))


@contextmanager
def _circles_said() -> Iterator[None]:
    try:
        yield
    except CycleError as error:
        circle = " → ".join(map(str, error.args[1]))
        raise ValueError(f"these calls wait for each other in a circle: {circle}") from None
