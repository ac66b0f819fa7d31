"""The timeline to expect, and the bound that none can beat, without running anything."""

import gc
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from heapq import heapreplace
from itertools import islice, repeat

from .spans import Span, worker_names


def schedule(
    durations: Sequence[float], workers: int, labels: Sequence[str] | None = None
) -> list[Span]:
    """The timeline to expect, without running anything: list scheduling (Graham, 1966).

    The calls start in the order given, each on the worker that is free first, the lowest number
    where several are. ``spans[i]`` belongs to ``durations[i]``, so starts never go down.
    ``labels`` names the calls; by default they are "call 1", "call 2" and so on.
    Longest first: ``schedule(sorted(durations, reverse=True), workers)``.
    """
    _check(durations)
    names = worker_names(workers)
    if labels is not None and len(labels) != len(durations):
        raise ValueError(f"{len(labels)} labels for {len(durations)} durations")
    if labels is None:
        labels = (f"call {number}" for number in range(1, len(durations) + 1))
    free = [(0.0, index) for index in range(min(workers, len(durations)))]
    timeline: list[Span] = []
    to_start, called = iter(durations), iter(labels)
    with _uncollected():
        while part := list(islice(to_start, _PART)):
            starts, ends, lanes = _assign(part, free, names)
            columns = zip(islice(called, len(part)), lanes, starts, ends, repeat(True))
            timeline.extend(map(tuple.__new__, repeat(Span), columns))  # Span(...), without a frame
    return timeline


_PART = 512  # calls at a time: what is at work stays in the processor's cache


def _assign(
    durations: Sequence[float], free: list[tuple[float, int]], names: Sequence[str]
) -> tuple[list[float], list[float], list[str]]:
    """Starts, ends and workers; ``free``, a heap of when which worker is free, is kept."""
    starts, ends, lanes = [], [], []
    for seconds in durations:
        start, index = free[0]
        end = start + seconds
        heapreplace(free, (end, index))
        starts.append(start)
        ends.append(end)
        lanes.append(names[index])
    return starts, ends, lanes


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: a million new spans, none of them garbage, would set it off often."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _check(durations: Sequence[float]) -> None:
    if len(durations) and min(durations) >= 0 and sum(durations) < math.inf:  # none is NaN then
        return
    for seconds in durations:
        if not 0 <= seconds < math.inf:  # NaN compares as False
            raise ValueError(f"a duration is a number of seconds from 0 up, got {seconds!r}")


def lower_bound(durations: Sequence[float], workers: int) -> float:
    """The makespan that no order of starts can beat: max(longest call, total work / workers).

    0 for no calls. :func:`schedule` stays below ``total / workers + (1 - 1 / workers) * longest``,
    and so below twice this bound (Graham, 1966).
    """
    _check(durations)
    if workers < 1:
        raise ValueError(f"a timeline needs at least 1 worker, got workers={workers}")
    return max(max(durations, default=0.0), math.fsum(durations) / workers)
