"""The history of real runs: as a chart of speedup against workers, as CSV, and in words."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields, replace

import numpy

from .layout import GRID, INK, QUIET, WIDTH
from .picture import png
from .prediction import predict
from .real_run import Run
from .settings import MOST_WORKERS, Settings


def chart(settings: Settings, history: Sequence[Run]) -> bytes:
    """Speedup against workers: the prediction as a line, each real run as a point."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    workers = range(1, MOST_WORKERS + 1)
    curve = [predict(replace(settings, workers=number)).speedup for number in workers]
    figure = Figure((WIDTH / 100, 2.7), dpi=100)
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_axes((0.085, 0.2, 0.895, 0.66))
    ax.step(workers, curve, where="mid", color=QUIET, linewidth=1.6, label="predicted")
    same = [run for run in history if replace(run.settings, workers=settings.workers) == settings]
    others = [run for run in history if run not in same]
    kinds = ((others, "white", "measured, other settings"), (same, "#0072B2", "measured"))
    for runs, face, label in (kind for kind in kinds if kind[0]):
        at = [run.settings.workers for run in runs], [run.speedup for run in runs]
        ax.scatter(*at, s=52, facecolor=face, edgecolor="#0072B2", zorder=3, label=label)
    ax.set_title(_chart_title(curve), loc="left", fontsize=11.5, fontweight="bold", color=INK)
    ax.set_xlabel("workers", loc="left", color=QUIET)
    ax.set_ylabel("times as fast", color=QUIET)
    ax.set(xlim=(0.5, MOST_WORKERS + 0.5), xticks=workers)
    ax.set_ylim(0, 1.15 * max([*curve, *(run.speedup for run in history), 1]))
    ax.grid(axis="y", color=GRID)
    ax.spines[["top", "right"]].set_visible(False)
    place = {"loc": "upper right", "bbox_to_anchor": (1, -0.11), "borderaxespad": 0}
    ax.legend(ncols=3, frameon=False, **place)  # on the line of the axis label
    canvas.draw()
    return png(numpy.asarray(canvas.buffer_rgba()))


def _chart_title(curve: Sequence[float]) -> str:
    enough = next(n for n, speedup in enumerate(curve, 1) if speedup >= max(curve) * 0.999)
    if enough == 1:
        return "More workers gain nothing with these settings"
    return f"{enough} workers are enough: {max(curve):.2f} times as fast, and no more beyond"


def to_csv(history: Sequence[Run]) -> str:
    """Settings, and predicted and measured numbers, a run a line."""
    names = [field.name for field in fields(Settings)]
    ways = ("sequential_s", "parallel_s", "speedup", "end_to_end_speedup")
    lines = [[*names, *(f"{of}_{way}" for of in ("predicted", "measured") for way in ways)]]
    for run in history:
        numbers = [(*o.seconds, o.speedup, o.end_to_end_speedup) for o in (run.predicted, run)]
        lines.append([*asdict(run.settings).values(), *(f"{n:.4f}" for o in numbers for n in o)])
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


def describe_history(history: Sequence[Run]) -> str:
    """The chart in words."""
    runs = (f"{run.settings.workers} workers: {run.speedup:.2f} times as fast" for run in history)
    return f"Speedup against workers. {'; '.join(runs) or 'No run yet'}."
