"""The lab's picture: the batch one after the other above, in parallel below, on one time axis."""

from collections.abc import Iterator

from ..timeline import FIXED_STYLES, describe_timeline
from .layout import (
    AXIS,
    HEIGHT,
    LEFT,
    MANY,
    ONE,
    RIGHT,
    WIDTH,
    Box,
    arrows,
    axis_end,
    boxes,
    headlines,
    say_seconds,
    tick_names,
    worker_lanes,
    x_of,
)
from .outcome import Outcome
from .prediction import Prediction
from .real_run import Run
from .settings import TOOLS
from .svg import GRID, INK, LANE, QUIET, arrow, bar, drawing, line, text, width_of

__all__ = ["picture", "picture_in_words"]

_LEGEND = (580, 695, 810)  # where its names begin
_LOWEST_NAMED = 12  # pixels of height that a name needs
_MARGIN = 6  # pixels between a name and either end of its bar


def picture(predicted: Prediction, run: Run | None = None, hide: bool = False) -> str:
    """The picture of a prediction, and of a run of the same settings if there was one, as SVG.

        picture(predict(Settings(workers=3)))

    ``hide`` leaves the parallel prediction to the reader's own guess.
    """
    end = axis_end(max(0.001, *predicted.seconds, *(run.seconds if run else ())))
    bars = boxes(predicted, run, end, hide)
    words = picture_in_words(predicted, run, hide)
    parts = [*_ground(predicted.settings.workers, end), *_headlines(predicted, run, hide)]
    parts += [_bar(box) for box in bars]
    parts += [name for box in bars if (name := _name(box))]
    if not hide:
        parts += [arrow(*where) for where in arrows(run or predicted, end, run is not None)]
        parts += _mark_bound(predicted.bound, end)
    return drawing(WIDTH, HEIGHT, words, [*parts, *_foot(predicted, run)], "ptc-timeline")


def picture_in_words(predicted: Prediction, run: Run | None = None, hide: bool = False) -> str:
    """What the picture shows, in words."""
    one, many = headlines(predicted, run, hide)
    if hide:
        return f"{one}. {many}."
    outcome = run or predicted
    said = [
        f"{one}. {many}. Lower bound {say_seconds(predicted.bound)}.",
        f"In parallel: {describe_timeline(outcome.parallel)}",
    ]
    return " ".join(said + waits_in_words(outcome))


def waits_in_words(outcome: Outcome) -> list[str]:
    """A sentence for each city whose calls waited for each other."""
    cities: dict[str, list[str]] = {}
    for wait in outcome.waits:
        said = f"{wait.started.label} waits for {wait.ended.label} until {wait.ended.end:.2f} s"
        cities.setdefault(wait.city, []).append(said)
    return [f"In {city}, {', and '.join(said)}." for city, said in cities.items()]


def _ground(workers: int, end: float) -> Iterator[str]:
    """Lanes with their names, and the time axis."""
    for name, lane in {"one worker": ONE, **worker_lanes(workers)}.items():
        height = lane.bottom - lane.top
        yield (
            f'<rect x="{LEFT}" y="{lane.top:.1f}" width="{RIGHT - LEFT}" '
            f'height="{height:.1f}" fill="{LANE}"/>'
        )
        yield text(LEFT - 8, lane.middle + 4, name, size=13, anchor="end")
    for tick in tick_names(end):
        x = x_of(float(tick), end)
        yield line(x, ONE.top - 3, x, AXIS, GRID)
        yield text(x, AXIS + 17, tick, size=13, anchor="middle", color=QUIET)


def _headlines(predicted: Prediction, run: Run | None, hide: bool) -> list[str]:
    one, many = headlines(predicted, run, hide)
    return [
        text(LEFT, ONE.top - 12, one, size=15, bold=True),
        text(LEFT, MANY.top - 12, many, size=15, bold=True),
    ]


def _bar(box: Box) -> str:
    where = box.left, box.top, box.right - box.left, box.bottom - box.top
    return bar(*where, box.label, box.ok, box.pale)


def _name(box: Box) -> str:
    """The longest name of the call that the bar has room for, in smaller letters if need be."""
    room, height = box.right - box.left - 2 * _MARGIN, box.bottom - box.top
    short = box.label.removeprefix("get_")
    names = [f"{box.label} {box.city}", box.label, short]
    if not box.ok:
        names = [*(f"✗ {name}" for name in names), "✗"]
    full = min(13, height - 2)
    sizes = [size for size in (12, 11, 10) if size < full]
    tries = [*((name, full) for name in names), *((names[-1], size) for size in sizes)]
    fitting = ((name, size) for name, size in tries if width_of(name, size) <= room)
    found, size = next(fitting, ("", full))
    if not found or height < _LOWEST_NAMED:
        return ""
    style = FIXED_STYLES[box.label]
    is_full = box.ok and not box.pale
    color, ground = (style.text, style.face) if is_full else (INK, "#FFFFFF")
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2 + size * 0.35
    return text(x, y, found, size=size, anchor="middle", color=color, ground=ground)


def _mark_bound(bound: float, end: float) -> list[str]:
    x, words = x_of(bound, end), f"lower bound {say_seconds(bound)}"
    is_far_right = x > RIGHT - 160
    return [
        line(x, MANY.top - 4, x, AXIS, INK, 2, dashes="6 3"),
        text(
            x - 6 if is_far_right else x + 6,
            AXIS - 4,
            words,
            size=13,
            anchor="end" if is_far_right else "start",
            ground="#FFFFFF",
        ),
    ]


def _foot(predicted: Prediction, run: Run | None) -> Iterator[str]:
    notes = ["pale: predicted, full: measured"] if run else []
    notes += (
        ["an arrow leads to a call that waits for another of its city"] if predicted.waits else []
    )
    foot = AXIS + 43
    yield text(LEFT, foot, "seconds since the batch began", size=13, color=QUIET)
    yield text(LEFT, foot + 21, "; ".join(notes), size=13, color=QUIET)
    for name, x in zip(TOOLS, _LEGEND, strict=True):
        yield bar(x - 30, foot - 12, 24, 15, name)
        yield text(x, foot, name, size=13)
