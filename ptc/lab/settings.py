"""What the controls of the lab say: settings, their limits, and the scenarios."""

import math
import os
import random
import sys
from dataclasses import dataclass

from ..retry import RetryPolicy

__all__ = [
    "BACKOFF",
    "CITIES",
    "HOLDS",
    "KINDS",
    "MEETINGS",
    "MOST_SECONDS",
    "MOST_WORKERS",
    "ORDERS",
    "RELEASES",
    "SCENARIOS",
    "TOOLS",
    "WAITS",
    "Settings",
    "capacity",
    "cores",
]

TOOLS = ("get_time", "get_date", "get_weather")
CITIES = ("Paris", "Tokyo", "New York", "Cairo", "Sydney", "Lima")
ORDERS = ("as asked", "longest first")
WAITS, HOLDS, RELEASES = "waits", "computes, holding the GIL", "computes, releasing the GIL"
KINDS = (WAITS, HOLDS, RELEASES)
MEETINGS = ("none", "in order")
MOST_WORKERS, MOST_SECONDS = 16, 2.0
BACKOFF = 0.1  # seconds between two attempts


@dataclass(frozen=True, slots=True)
class Settings:
    """What the controls say. Seconds, except ``failures``, the share of attempts that fail.

    ``meet``: which calls of one city touch the same thing, and so must run in request order.

    >>> Settings(cities=2, meet="in order").predecessors[:4]
    [frozenset(), frozenset({0}), frozenset({1}), frozenset()]
    """

    workers: int = 4
    time: float = 0.3
    date: float = 0.3
    weather: float = 0.3
    cities: int = 1
    model: float = 0.5
    order: str = ORDERS[0]
    kind: str = WAITS
    failures: float = 0.0
    attempts: int = 3
    meet: str = MEETINGS[0]

    def __post_init__(self) -> None:
        ranges = {"workers": MOST_WORKERS, "cities": len(CITIES), "attempts": 5}
        for name, most in ranges.items():
            _check(name, getattr(self, name), 1, most)
        for name in ("time", "date", "weather", "model"):
            _check(name, getattr(self, name), 0, MOST_SECONDS)
        _check("failures", self.failures, 0, 1)
        for name, known in (("order", ORDERS), ("kind", KINDS), ("meet", MEETINGS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}={getattr(self, name)!r} is unknown; known: {known}")

    @property
    def question(self) -> str:
        """What the user asks the model."""
        *most, last = CITIES[: self.cities]
        places = f"{', '.join(most)} and {last}" if most else last
        return f"What's the time, the date and the weather in {places}?"

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Tool and city of each call, in the order in which the scripted model asks."""
        return [(tool, city) for city in CITIES[: self.cities] for tool in TOOLS]

    @property
    def predecessors(self) -> list[frozenset[int]]:
        """For each call the index of the one before it in its city, where calls of a city meet."""
        waits = []
        for number, (tool, _) in enumerate(self.calls):
            starts_its_city = tool == TOOLS[0]
            alone = self.meet == MEETINGS[0] or starts_its_city
            waits.append(frozenset() if alone else frozenset({number - 1}))
        return waits

    def seconds(self, tool: str) -> float:
        """How long one attempt of the tool takes."""
        return getattr(self, tool.removeprefix("get_"))

    def failed_attempts(self, tool: str, city: str) -> int:
        """How many attempts of this call fail before one that doesn't, at most ``attempts``.

        A seeded draw, which the prediction and the run share: the same at every run.
        """
        draw = random.Random(f"{tool} {city}")
        for failed in range(self.attempts):
            if draw.random() >= self.failures:
                return failed
        return self.attempts

    @property
    def retry(self) -> RetryPolicy:
        """Attempts as set, and a backoff without chance, so that it can be predicted."""
        return RetryPolicy(
            attempts=self.attempts, wait_initial=BACKOFF, wait_max=BACKOFF, wait_jitter=0
        )


def _check(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name}={value!r} is outside {least} to {most:g}")


def cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def capacity(kind: str) -> float:
    """How many calls of this kind can make progress at the same moment."""
    if kind == WAITS:
        return math.inf
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    return 1 if kind == HOLDS and has_gil else cores()


SCENARIOS: dict[str, Settings] = {
    "three equal tools": Settings(),
    "one slow tool": Settings(time=0.2, date=0.2, weather=0.8),
    "more calls than workers": Settings(cities=4, workers=3, model=0.2),
    "one worker": Settings(workers=1),
    "tools that compute": Settings(kind=HOLDS, cities=2, model=0.2),
    "tools that compute, releasing the GIL": Settings(kind=RELEASES, cities=2, model=0.2),
    "calls of one city meet": Settings(cities=2, workers=6, model=0.2, meet=MEETINGS[1]),
    "a flaky tool": Settings(cities=3, failures=0.3),
    "tiny tools": Settings(time=0, date=0, weather=0, cities=6, workers=16, model=0),
}
