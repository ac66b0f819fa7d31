"""Where everything stands in the lab's picture, in pixels, and what its headlines say."""

import math
from typing import NamedTuple

from ..timeline import worker_names
from ..timeline.spans import count_of
from .outcome import Outcome
from .prediction import Prediction
from .real_run import Run

__all__ = ["Arrow", "Box", "arrows", "axis_end", "boxes", "headlines", "say_seconds"]

WIDTH, HEIGHT = 920, 468  # of the picture, in its own pixels
LEFT, RIGHT = 84, 900  # of the bars
AXIS = 394


class Lane(NamedTuple):
    """From top to bottom, where bars of one worker stand."""

    top: float
    bottom: float

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    def part(self, begins: float, ends: float) -> "Lane":
        """A part of it, in shares of its height."""
        height = self.bottom - self.top
        return Lane(self.top + begins * height, self.top + ends * height)


ONE, MANY = Lane(36, 78), Lane(130, 378)  # one after the other; all lanes of the parallel part
_PREDICTED, _MEASURED = (0, 0.44), (0.44, 1)  # shares of a lane, where both are to be seen
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


def axis_end(seconds: float) -> float:
    """Where the time axis ends: a round number, so that a small change moves the bars alone.

    >>> axis_end(0.93)
    1.0
    """
    for step in _STEPS:
        if seconds <= 8 * step:
            return step * max(1, math.ceil(seconds / step - 1e-9))
    return 10.0 * math.ceil(seconds / 10)


def tick_names(end: float) -> list[str]:
    """What stands at the lines of the time axis."""
    step = next((step for step in _STEPS if end <= 8 * step + 1e-9), 20)
    digits = 3 if step < 0.01 else 2 if step < 0.1 else 1 if step < 1 else 0
    return [f"{step * number:.{digits}f}" for number in range(round(end / step) + 1)]


def x_of(seconds: float, end: float) -> float:
    return LEFT + (RIGHT - LEFT) * seconds / end


def worker_lanes(workers: int) -> dict[str, Lane]:
    """Each worker's lane in the lower part of the picture."""
    height = (MANY.bottom - MANY.top) / workers
    gap = max(height * 0.07, (height - 46) / 2)
    tops = [MANY.top + height * number for number in range(workers)]
    lanes = [Lane(top + gap, top + height - gap) for top in tops]
    return dict(zip(worker_names(workers), lanes, strict=True))


class Box(NamedTuple):
    """A bar of the picture, in pixels from its top left corner."""

    left: float
    right: float
    top: float
    bottom: float
    label: str
    city: str
    ok: bool
    pale: bool


def boxes(predicted: Prediction, run: Run | None, end: float, hide: bool = False) -> list[Box]:
    """All bars: the predicted ones, or the upper part of a lane for them and the lower for a run.

    ``hide`` leaves the parallel prediction out.
    """
    if run is None:
        return _boxes_of(predicted, end, (0, 1), hide=hide)
    measured = _boxes_of(run, end, _MEASURED)
    return _boxes_of(predicted, end, _PREDICTED, pale=True) + measured


def _boxes_of(
    outcome: Outcome,
    end: float,
    share: tuple[float, float],
    *,
    pale: bool = False,
    hide: bool = False,
) -> list[Box]:
    lanes = worker_lanes(outcome.settings.workers)
    placed = [(call, ONE, bar) for call in outcome.one_by_one for bar in call.bars]
    if not hide:
        placed += [(call, lanes[bar.worker], bar) for call in outcome.together for bar in call.bars]
    found = []
    for call, lane, bar in placed:
        left, right = x_of(bar.start, end), x_of(bar.end, end)
        right = max(right, left + 1)  # to be seen, however short it was
        top, bottom = lane.part(*share)
        found.append(Box(left, right, top, bottom, call.tool, call.city, bar.ok, pale))
    return found


class Arrow(NamedTuple):
    """From the end of one bar to the start of another that waited for it."""

    x: float
    y: float
    to_x: float
    to_y: float


def arrows(outcome: Outcome, end: float, has_both: bool) -> list[Arrow]:
    """Which call waits for which; ``has_both``: predicted and measured bars share the lanes."""
    lanes = worker_lanes(outcome.settings.workers)
    share = _MEASURED if has_both else (0, 1)
    return [
        Arrow(
            x_of(wait.ended.end, end),
            lanes[wait.ended.worker].part(*share).middle,
            x_of(wait.started.start, end),
            lanes[wait.started.worker].part(*share).middle,
        )
        for wait in outcome.waits
    ]


def say_seconds(seconds: float) -> str:
    """In milliseconds where two digits would leave little of it.

    >>> say_seconds(0.3), say_seconds(0.0123)
    ('0.30 s', '12.3 ms')
    """
    return f"{1000 * seconds:.1f} ms" if 0 < seconds < 0.0995 else f"{seconds:.2f} s"


def headlines(predicted: Prediction, run: Run | None, hide: bool = False) -> tuple[str, str]:
    """What the two parts of the picture say."""
    workers = count_of(predicted.settings.workers, "worker")
    if run:
        slow, fast = run.seconds
        told = f"{say_seconds(fast)} measured on {workers}, {_times(run.speedup)}"
        return f"One after the other: {say_seconds(slow)} measured", f"In parallel: {told}"
    slow, fast = predicted.seconds
    told = f"{say_seconds(fast)} on {workers}, {_times(predicted.speedup)}"
    if hide:
        told = f"how long on {workers}? Guess, then run it for real"
    return f"One after the other: {say_seconds(slow)}", f"In parallel: {told}"


def _times(speedup: float) -> str:
    if 0.995 <= speedup < 1.005:
        return "no faster"
    return f"{speedup:.2f} times as fast"
