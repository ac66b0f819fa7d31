"""Right answers to the exercises of notebook 02."""

import statistics
from fractions import Fraction
from itertools import pairwise
from timeit import repeat
from typing import Annotated

from pydantic import Field

# --- 02.2


def with_a_stopwatch(work, n, clock):
    def seconds():
        start = clock()
        work()
        return clock() - start

    return statistics.median(seconds() for _ in range(n))


def sorted_by_hand(work, n, clock):
    runs = [0.0] * n
    for place in range(n):
        start = clock()
        work()
        end = clock()
        runs[place] = end - start
    runs.sort()
    middle = n // 2
    return runs[middle] if n % 2 else (runs[middle - 1] + runs[middle]) / 2


def with_timeit(work, n, clock):
    return statistics.median(repeat(work, timer=clock, number=1, repeat=n))


def one_reading_between_two_runs(work, n, clock):
    readings = [clock()]
    while len(readings) <= n:
        work()
        readings.append(clock())
    return statistics.median(b - a for a, b in pairwise(readings))


# --- 02.3


def annotated_as_an_int_too(registry, sleep):
    @registry.tool
    def wait(seconds: Annotated[int | float, Field(description="Seconds to wait")]):
        """Waits."""
        sleep(seconds)
        return seconds

    return registry


def registered_later(registry, sleep):
    def wait(seconds: Annotated[float, Field(description="How long", ge=0)]) -> float:
        """Wait, and say how long."""
        sleep(seconds)
        return seconds

    registry.register(wait)
    return registry


def of_another_name(registry, sleep):
    def pause(seconds: Annotated[float, Field(description="Seconds", examples=[0.5])]) -> float:
        """Wait."""
        sleep(seconds)
        return float(seconds)

    pause.__name__ = "wait"
    registry.tool(idempotent=True)(pause)
    return registry


RIGHT = {
    "02.2": [with_a_stopwatch, sorted_by_hand, with_timeit, one_reading_between_two_runs],
    "02.3": [annotated_as_an_int_too, registered_later, of_another_name],
    "02.1": [(4 * 0.02 + 0.22) / 5, Fraction(6, 100), statistics.mean([0.02] * 4 + [0.22])],
}
