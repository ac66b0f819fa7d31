"""What a batch of calls will look like: calls on workers, which share what there is to share."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..timeline import Span, worker_names

__all__ = ["Phase", "Planned", "simulate"]


class Phase(NamedTuple):
    """A part of a call: an attempt (``ok`` says how it ends), or a backoff (``ok`` is None).

    ``overhead``: seconds of the processor that it takes before its own begin.
    """

    seconds: float
    ok: bool | None
    overhead: float = 0.0


class Planned(NamedTuple):
    """A call to come: its tool, its parts, and the places of the calls that it waits for."""

    label: str
    parts: Sequence[Phase]
    waits_for: frozenset[int] = frozenset()


def simulate(
    calls: Sequence[Planned], workers: int, capacity: float = math.inf, began: float = 0.0
) -> list[list[Span]]:
    """The spans of each call; they start in the order given, each where a worker is free first.

    >>> simulate([Planned("get_time", [Phase(1, True)])], workers=2)[0][0].end
    1.0

    With one phase a call and no limit to the capacity this is :func:`ptc.timeline.schedule`.
    Else at most ``capacity`` attempts progress at full speed, and one overhead; more share it
    evenly. A backoff keeps its worker and uses no capacity. A call that waits for others holds no
    worker. One span an attempt.
    """
    names, timeline = worker_names(workers), [[] for _ in calls]
    lanes: dict[int, _Running] = {}
    waiting, ended = list(range(len(calls))), set[int]()
    now = began
    while waiting or lanes:
        for worker in (worker for worker in range(workers) if worker not in lanes):
            number = next((n for n in waiting if calls[n].waits_for <= ended), None)
            if number is not None:
                waiting.remove(number)
                lanes[worker] = _Running(calls[number], number, now)
        speeds = _speeds(lanes, capacity)
        step = min(lane.left / speeds[worker] for worker, lane in lanes.items())
        now += step
        for worker, lane in list(lanes.items()):
            if not lane.is_over_after(step * speeds[worker]):
                continue
            part = lane.parts[0]
            if part.ok is not None:
                span = Span(lane.label, names[worker], lane.since, now, part.ok)
                timeline[lane.number].append(span)
            if not lane.next_part(now):
                ended.add(lane.number)
                del lanes[worker]
    return timeline


def _speeds(lanes: dict[int, "_Running"], capacity: float) -> dict[int, float]:
    """How fast each worker progresses: 1 where nothing has to be shared."""
    beginning = [worker for worker, lane in lanes.items() if lane.begins]
    at_work = [worker for worker, lane in lanes.items() if lane.at_work]
    speeds = dict.fromkeys(lanes, 1.0)
    speeds |= dict.fromkeys(beginning, 1 / max(1, len(beginning)))
    return speeds | dict.fromkeys(at_work, min(1.0, capacity / max(1, len(at_work))))


class _Running:
    """A call on its worker, within :func:`simulate`."""

    def __init__(self, call: Planned, number: int, now: float) -> None:
        self.label, self.parts, self.number = call.label, list(call.parts), number
        self._start_part(now)

    def _start_part(self, now: float) -> None:
        part, self.since = self.parts[0], now
        self.begins = part.overhead > 0
        self.left = part.overhead or part.seconds

    @property
    def at_work(self) -> bool:
        return not self.begins and self.parts[0].ok is not None

    def is_over_after(self, seconds: float) -> bool:
        """Whether the part under way is over, once it has got so far."""
        self.left -= seconds
        if self.begins and self.left <= 1e-9:
            self.begins, self.left = False, self.parts[0].seconds
            return self.left <= 1e-9
        return not self.begins and self.left <= 1e-9

    def next_part(self, now: float) -> bool:
        del self.parts[0]
        if self.parts:
            self._start_part(now)
        return bool(self.parts)
