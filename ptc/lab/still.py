"""The lab as a still picture, for pages that have no kernel."""

from io import BytesIO

from ..timeline import plot_timeline, small_png
from .layout import WIDTH, axis_end, headlines
from .prediction import Prediction
from .real_run import Run

__all__ = ["still"]


def still(predicted: Prediction, run: Run | None = None, hide: bool = False) -> bytes:
    """The two timelines as PNG, of twice the pixels that it takes on the page.

    still(predict(Settings(workers=3)))
    """
    from matplotlib.figure import Figure

    outcome, workers = run or predicted, predicted.settings.workers
    parallel = [] if hide else outcome.parallel
    lanes = [0.5, 0.3 + 0.26 * workers]  # inches of height; the rest is for words
    height = sum(lanes) + 1.6
    figure = Figure((WIDTH / 100, height), dpi=200, facecolor="white")
    one, many = (
        figure.add_axes((0.1, bottom / height, 0.885, inches / height))
        for inches, bottom in zip(lanes, (lanes[1] + 1.15, 0.55), strict=True)
    )
    titles = headlines(predicted, run, hide)
    end = axis_end(max(0.001, *outcome.seconds))
    plot_timeline(outcome.sequential, one, title=titles[0], until=end)
    plot_timeline(
        parallel,
        many,
        title=titles[1],
        until=end,
        workers=workers,
        bound=None if hide else predicted.bound,
    )
    one.set(xlabel="", xticklabels=[])
    data = BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    return small_png(data.getvalue())
