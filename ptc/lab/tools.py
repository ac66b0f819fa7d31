"""The lab's tools: city tools that take the time that the settings say, and can be stopped."""

import threading
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from time import thread_time
from typing import Any

from ..registry import ToolRegistry
from ..tools import CityTools
from .settings import HOLDS, MEETINGS, ORDERS, RELEASES, TOOLS, WAITS, Settings

__all__ = ["Stop", "Stopped", "lab_registry"]


class Stopped(Exception):
    """The reader pressed Stop."""


class Stop(threading.Event):
    """Set once a run is to end; it wakes its tools."""

    def check(self) -> None:
        """Raise :class:`Stopped` once it is set."""
        if self.is_set():
            raise Stopped("the run was stopped")


def lab_registry(
    settings: Settings, stop: Stop, ended: Callable[[], object] = lambda: None
) -> ToolRegistry:
    """The city tools, each of which takes the time that the settings say, unless ``stop`` is set.

        execute_parallel(calls, lab_registry(Settings(time=0.1), Stop()))

    Fresh for each batch: it counts the attempts of each call. ``ended`` is called as a call ends,
    in its worker's thread: a listener of the batch would wake up for each, and be measured too.
    """
    registry, tools = ToolRegistry(), CityTools()
    tools.registry()  # starts what the first weather call would have to wait for
    touched = None if settings.meet == MEETINGS[0] else "city:{city}"
    for name in TOOLS:
        expected = settings.seconds(name) if settings.order == ORDERS[1] else None
        tool = _tool(getattr(tools, name), name, settings, stop, ended)
        registry.register(tool, expected_seconds=expected, writes=touched)
    return registry


def _tool(
    tool: Callable[..., Any], name: str, settings: Settings, stop: Stop, ended: Callable[[], object]
) -> Any:
    made: dict[str, int] = {}  # attempts of each city's call; no two of one call run at once
    spend = _SPEND[settings.kind]

    @wraps(tool)
    def run(city: str) -> Any:
        made[city] = made.get(city, 0) + 1
        stop.check()
        spend(settings.seconds(name), stop)
        stop.check()
        fails = made[city] <= settings.failed_attempts(name, city)
        if not fails or made[city] == settings.attempts:
            ended()
        if fails:
            raise ConnectionError(f"attempt {made[city]} failed, as drawn")
        return tool(city)

    return run


def _wait(seconds: float, stop: Stop) -> None:
    stop.wait(seconds)


def _spin(seconds: float, stop: Stop) -> None:
    """So many seconds of this thread's own processor time, in Python code."""
    until = thread_time() + seconds
    while thread_time() < until and not stop.is_set():
        sum(range(1000))


def _hash(seconds: float, stop: Stop) -> None:
    """So many seconds of this thread's own processor time, in C code that lets others run."""
    until, data = thread_time() + seconds, bytes(200_000)
    while thread_time() < until and not stop.is_set():
        sha256(data)


_SPEND: dict[str, Callable[[float, Stop], None]] = {
    WAITS: _wait,
    HOLDS: _spin,
    RELEASES: _hash,
}
