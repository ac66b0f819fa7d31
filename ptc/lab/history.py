"""The history of real runs: as a chart of speedup against workers, as CSV, and in words."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields, replace

from ..timeline.spans import count_of
from .layout import WIDTH
from .prediction import predict
from .real_run import Run
from .settings import MOST_WORKERS, Settings
from .svg import GRID, INK, QUIET, drawing, line, text

__all__ = ["chart", "chart_in_words", "to_csv"]

_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 280, 64, 908, 36, 228
_POINT = "#0072B2"


def chart(settings: Settings, history: Sequence[Run]) -> str:
    """Speedup against workers: the prediction as a line, each real run as a point; SVG.

    chart(Settings(), [])
    """
    workers = range(1, MOST_WORKERS + 1)
    curve = [predict(replace(settings, workers=number)).speedup for number in workers]
    top = 1.15 * max([*curve, *(run.speedup for run in history), 1])
    parts = [
        text(_LEFT, _TOP - 14, _title(curve), size=15, bold=True),
        *_axes(top),
        _steps(curve, top),
        *(_point(run, settings, top) for run in history),
        *_foot(),
    ]
    return drawing(WIDTH, _HEIGHT, chart_in_words(settings, history), parts, "ptc-chart")


def chart_in_words(settings: Settings, history: Sequence[Run]) -> str:
    """What the chart shows, in words."""
    gains = [predict(replace(settings, workers=n)).speedup for n in (1, MOST_WORKERS)]
    runs = [
        f"{count_of(run.settings.workers, 'worker')}: {run.speedup:.2f} times as fast"
        for run in history
    ]
    return (
        f"Speedup against workers. Predicted: {gains[0]:.2f} with one worker, {gains[1]:.2f} with "
        f"{MOST_WORKERS}. Measured: {'; '.join(runs) or 'no run yet'}."
    )


def _title(curve: Sequence[float]) -> str:
    enough = next(n for n, speedup in enumerate(curve, 1) if speedup >= max(curve) * 0.999)
    if enough == 1:
        return "More workers gain nothing with these settings"
    return f"{enough} workers are enough: {max(curve):.2f} times as fast, and no more beyond"


def _x(workers: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (workers - 0.5) / MOST_WORKERS


def _y(speedup: float, top: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * speedup / top


def _axes(top: float) -> Iterator[str]:
    step = next(step for step in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1e9) if top <= 6 * step)
    for number in range(int(top / step) + 1):
        y = _y(step * number, top)
        yield line(_LEFT, y, _RIGHT, y, GRID)
        yield text(_LEFT - 8, y + 4, f"{step * number:g}", size=13, anchor="end", color=QUIET)
    for workers in range(1, MOST_WORKERS + 1):
        yield text(_x(workers), _BOTTOM + 18, str(workers), size=13, anchor="middle", color=QUIET)
    yield text(12, _TOP - 14, "times", size=12.5, color=QUIET)
    yield text(_LEFT, _BOTTOM + 40, "workers", size=12.5, color=QUIET)


def _steps(curve: Sequence[float], top: float) -> str:
    points = [
        f"{_x(workers + side):.1f} {_y(speedup, top):.1f}"
        for workers, speedup in enumerate(curve, 1)
        for side in (-0.5, 0.5)
    ]
    return f'<path d="M{"L".join(points)}" fill="none" stroke="{QUIET}" stroke-width="1.8"/>'


def _point(run: Run, settings: Settings, top: float) -> str:
    """Filled for a run of these settings, but for its workers; hollow for any other."""
    same = replace(run.settings, workers=settings.workers) == settings
    return _dot(_x(run.settings.workers), _y(run.speedup, top), _POINT if same else "#FFFFFF")


def _dot(x: float, y: float, face: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{face}" stroke="{_POINT}"/>'


def _foot() -> Iterator[str]:
    y = _BOTTOM + 40
    yield line(440, y - 4, 466, y - 4, QUIET, 1.8)
    yield text(472, y, "predicted", size=12.5, color=INK)
    yield _dot(566, y - 4, _POINT)
    yield text(576, y, "measured", size=12.5, color=INK)
    yield _dot(668, y - 4, "#FFFFFF")
    yield text(678, y, "measured with other settings", size=12.5, color=INK)


def to_csv(history: Sequence[Run]) -> str:
    """Settings, and predicted and measured numbers, a run a line.

    >>> to_csv([]).split(",")[:3]
    ['workers', 'time', 'date']
    """
    names = [field.name for field in fields(Settings)]
    ways = ("sequential_s", "parallel_s", "speedup", "end_to_end_speedup")
    lines = [[*names, *(f"{of}_{way}" for of in ("predicted", "measured") for way in ways)]]
    for run in history:
        numbers = [(*o.seconds, o.speedup, o.end_to_end_speedup) for o in (run.predicted, run)]
        told = [f"{number:.4f}" for outcome in numbers for number in outcome]
        lines.append([*map(str, asdict(run.settings).values()), *told])
    file = io.StringIO()
    csv.writer(file).writerows(lines)
    return file.getvalue()
