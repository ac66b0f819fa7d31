"""What a call costs beyond its tool's own seconds, measured once on this machine."""

from collections.abc import Callable, Sequence
from functools import cache
from statistics import median
from typing import NamedTuple

from ..calls import ToolCall, ToolResult
from ..execute import execute_parallel, execute_sequential
from ..registry import ToolRegistry
from ..timeline import makespan, spans
from .settings import CITIES, MOST_WORKERS, Settings
from .tools import Stop, lab_registry

__all__ = ["NO_OVERHEADS", "Overhead", "Overheads", "measured_overheads"]

_REPEATS = 8  # the first doesn't count

Way = Callable[[list[ToolCall], ToolRegistry], list[ToolResult]]


class Overhead(NamedTuple):
    """Seconds of the processor: once for a batch, and for each attempt in it."""

    batch: float
    attempt: float


class Overheads(NamedTuple):
    """Those of the two ways of running a batch."""

    sequential: Overhead
    parallel: Overhead


NO_OVERHEADS = Overheads(Overhead(0, 0), Overhead(0, 0))


@cache
def measured_overheads() -> Overheads:
    """From batches of tools that take no time, small ones and large ones, in a quarter of a second.

    >>> measured_overheads().parallel.attempt < 0.1
    True

    It is as much the tools' own work (a look-up, a request on this machine) as the executor's.
    """
    few, many = (Settings(time=0, date=0, weather=0, cities=n) for n in (1, len(CITIES)))
    both = [(few, many, way) for way in (execute_sequential, _execute_parallel)]
    rounds = [[_pair(*about) for about in both] for _ in range(_REPEATS)]
    return Overheads(*(_line(few, many, pairs) for pairs in zip(*rounds[1:], strict=True)))


def _execute_parallel(calls: list[ToolCall], registry: ToolRegistry) -> list[ToolResult]:
    return execute_parallel(calls, registry, MOST_WORKERS)


def _pair(few: Settings, many: Settings, way: Way) -> tuple[float, float]:
    return _seconds(few, way), _seconds(many, way)


def _line(few: Settings, many: Settings, pairs: Sequence[tuple[float, float]]) -> Overhead:
    """The straight line through the medians of the small and of the large batches."""
    small, large = map(median, zip(*pairs, strict=True))
    attempt = (large - small) / (len(many.calls) - len(few.calls))
    attempt = min(max(attempt, 0), small / len(few.calls))
    return Overhead(small - attempt * len(few.calls), attempt)


def _seconds(settings: Settings, way: Way) -> float:
    asked = enumerate(settings.calls)
    calls = [ToolCall(str(number), tool, {"city": city}) for number, (tool, city) in asked]
    return makespan(spans(way(calls, lab_registry(settings, Stop()))))
