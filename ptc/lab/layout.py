"""Where everything stands in the lab's picture, in pixels, and what its headlines say."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..timeline import worker_names
from .prediction import Prediction
from .real_run import Run
from .settings import TOOLS

WIDTH, HEIGHT = 920, 436  # of the picture, in its own pixels
LEFT, RIGHT = 84, 900  # of the bars
ONE, MANY, AXIS = (36, 78), (130, 372), 388  # from top to bottom: one lane, the lanes, the axis
INK, QUIET, GRID, LANE = "#1F1F1F", "#595959", "#C2C2C2", "#F4F4F4"
LEGEND = (598, 707, 816)  # where its names begin
STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


def axis_end(seconds: float) -> float:
    """Where the time axis ends: a round number, so that a small change moves the bars alone."""
    for step in STEPS:
        if seconds <= 8 * step:
            return step * max(1, math.ceil(seconds / step - 1e-9))
    return 10 * math.ceil(seconds / 10)


def x_of(seconds: float, end: float) -> float:
    return LEFT + (RIGHT - LEFT) * seconds / end


def lanes_of(workers: int) -> list[tuple[float, float]]:
    """Top and bottom of each worker's lane in the lower part."""
    height = (MANY[1] - MANY[0]) / workers
    gap = max(height * 0.14, (height - 46) / 2)
    tops = [MANY[0] + height * lane for lane in range(workers)]
    return [(top + gap, top + height - gap) for top in tops]


def tick_names(end: float) -> list[str]:
    """What stands at the lines of the time axis."""
    step = next((step for step in STEPS if end <= 8 * step + 1e-9), 20)
    digits = 3 if step < 0.01 else 2 if step < 0.1 else 1 if step < 1 else 0
    return [f"{step * number:.{digits}f}" for number in range(round(end / step) + 1)]


def words_of(workers: int, ticks: Sequence[str], end: float) -> list[tuple[Any, ...]]:
    """All words of the background: x, y, the part that stands left of x, text, size, colour."""
    lanes = zip(["one worker", *worker_names(workers)], [ONE, *lanes_of(workers)], strict=True)
    foot = HEIGHT - 8
    return [
        *((LEFT - 8, (top + low) / 2 + 4.5, 1, name, 9, INK) for name, (top, low) in lanes),
        *((x_of(float(tick), end), AXIS + 14, 0.5, tick, 10, QUIET) for tick in ticks),
        (LEFT, foot, 0, "seconds since the batch began", 9.5, QUIET),
        *((x, foot, 0, name, 9.5, INK) for name, x in zip(TOOLS, LEGEND, strict=True)),
    ]


class Box(NamedTuple):
    """A bar of the picture, in pixels from its top left corner."""

    left: float
    right: float
    top: float
    bottom: float
    label: str
    ok: bool
    pale: bool


def boxes(predicted: Prediction, run: Run | None, end: float, hide: bool = False) -> list[Box]:
    """All bars: the predicted ones, or the upper half of a lane for them and the lower for a run.

    ``hide`` leaves the parallel prediction out.
    """
    workers = predicted.settings.workers
    lanes = dict(zip(worker_names(workers), lanes_of(workers), strict=True))
    found = []
    for outcome, part in ((predicted, (0, 0.44 if run else 1)), (run, (0.44, 1))):
        if outcome is None:
            continue
        for timeline, lane_of in (
            (outcome.sequential, dict.fromkeys([*lanes, "worker-1"], ONE)),
            ([] if hide and outcome is predicted else outcome.parallel, lanes),
        ):
            for span in timeline:
                top, bottom = lane_of[span.worker]
                low, high = (top + (bottom - top) * share for share in part)
                sides = x_of(span.start, end), max(x_of(span.end, end), x_of(span.start, end) + 1)
                pale = run is not None and outcome is predicted
                found.append(Box(*sides, low, high, span.label, span.ok, pale))
    return found


def say_seconds(seconds: float) -> str:
    """In milliseconds where two digits would leave little of it."""
    return f"{1000 * seconds:.1f} ms" if 0 < seconds < 0.0995 else f"{seconds:.2f} s"


def headlines(predicted: Prediction, run: Run | None, hide: bool = False) -> tuple[str, str]:
    """What the two parts of the picture say."""
    workers = f"{predicted.settings.workers} worker{'s' * (predicted.settings.workers > 1)}"
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
