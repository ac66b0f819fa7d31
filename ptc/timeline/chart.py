"""A timeline as a picture: a Gantt chart, one lane a worker, one style a tool."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..text import without_surrogates
from .pictures import with_words
from .spans import (
    Span,
    count_of,
    describe_timeline,
    ending_of,
    lanes_of,
    makespan,
    most_at_once,
)
from .styles import FAILED, Style, tool_styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_timeline", "show_timeline"]

_INK, _QUIET, _GRID = "#222222", "#595959", "#E3E3E3"
_BAR = 0.72  # of a lane
_PAD = 10  # points below the title; more where the words of the bound stand there
_MOST_IN_LEGEND = 4


def plot_timeline(
    spans: Sequence[Span],
    ax: "Axes | None" = None,
    *,
    title: str | None = None,
    workers: int = 0,
    until: float | None = None,
    bound: float | None = None,
) -> "Figure":
    """A Gantt chart, one lane a worker: returns its figure, which a notebook shows with its words.

        plot_timeline(schedule([0.1, 0.1, 0.4], 2), bound=0.4)

    ``workers`` keeps a lane for each of them, used or not. ``until`` is where the axis ends, if
    nothing ends later, so that two charts can be compared; ``bound`` draws a line at the lower
    bound. With ``ax``, draws into it.

    Raises:
        ValueError: a time is not a finite number.
    """
    _check_times(spans, until=until, bound=bound)
    words = describe_timeline(spans)
    spans = [_drawable(span) for span in spans]
    lanes = lanes_of(spans, workers) or ["worker-1"]
    if ax is None:
        ax = _new_axes(len(lanes))
        plain = f"<Figure: timeline of {count_of(len(spans), 'bar')}>"
        with_words(_figure_of(ax), words, plain)
    ax.set_xlim(0, _axis_end(spans, until, bound))
    _set_axes(ax, lanes)
    _set_title(ax, title if title is not None else _message(spans), _PAD if bound is None else 18)
    if bound is not None:
        _draw_bound(ax, bound)
    styles = tool_styles(span.label for span in spans)
    for span in spans:
        _draw_bar(ax, span, lanes.index(span.worker), styles[span.label])
    if not _write_labels(ax, spans, lanes, styles):
        _draw_legend(ax, styles)
    return _figure_of(ax)


def show_timeline(spans: Sequence[Span], title: str | None = None, **options: Any) -> None:
    """Display the chart in a notebook, with its words below it, and nothing else.

        show_timeline(spans(results), "Three calls at once")

    ``options`` are those of :func:`plot_timeline`.
    """
    from IPython.display import display

    display(plot_timeline(spans, title=title, **options))


def _check_times(spans: Sequence[Span], **options: float | None) -> None:
    for span in spans:
        if not (math.isfinite(span.start) and math.isfinite(span.end)):
            raise ValueError(f"a span starts and ends at finite numbers of seconds, got {span}")
    for name, value in options.items():
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{name} is a finite number of seconds, got {name}={value!r}")


def _drawable(span: Span) -> Span:
    """No font has a shape for half a character."""
    return span._replace(
        label=without_surrogates(span.label), worker=without_surrogates(span.worker)
    )


def _figure_of(ax: "Axes") -> "Figure":
    figure = ax.get_figure(root=True)
    assert figure is not None  # only axes that were removed from theirs have none
    return figure


def _axis_end(spans: Sequence[Span], until: float | None, bound: float | None) -> float:
    """Nothing is cut: neither a bar that ends after ``until``, nor the bound."""
    last = makespan(spans)
    if not until:
        return max(1.04 * last, 1.04 * (bound or 0)) or 1.0
    return max(until, last, bound or 0)


def _message(spans: Sequence[Span]) -> str:
    if not spans:
        return "Nothing ran"
    bars = count_of(len(spans), "call" if all(span.ok for span in spans) else "attempt")
    at_once = most_at_once(spans)
    how = "one at a time" if at_once == 1 else f"at most {at_once} at once"
    return f"{bars} in {makespan(spans):.2f} s, {how}"


def _new_axes(lanes: int) -> "Axes":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    height = min(1.05 + 0.36 * lanes, 9.0)
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)  # inches
    figure = Figure(figsize=(8, height), dpi=100, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)  # measures text, and needs no window
    return figure.add_subplot()


def _set_title(ax: "Axes", title: str, pad: float) -> None:
    font: dict[str, Any] = {"fontsize": 12.5, "fontweight": "bold", "color": _INK}
    heading = ax.set_title(without_surrogates(title), font, loc="left", pad=pad)
    heading.set_parse_math(False)  # "$3 or $4" is money


def _set_axes(ax: "Axes", lanes: Sequence[str]) -> None:
    ax.set_xlabel("seconds since the batch began", loc="left", fontsize=10, color=_QUIET)
    step = math.ceil(len(lanes) / 24)  # more names than that don't fit
    names = list(lanes[::step])
    ax.set_yticks(range(0, len(lanes), step), names, fontsize=10, color=_INK, parse_math=False)
    ax.set_ylim(len(lanes) - 0.5, -0.5)
    ax.tick_params(axis="both", length=0, pad=6)
    ax.tick_params(axis="x", labelcolor=_QUIET, labelsize=10)
    ax.grid(axis="x", color=_GRID, linewidth=1)
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(_GRID)


def _draw_bar(ax: "Axes", span: Span, lane: int, style: Style) -> None:
    where = {"y": lane, "left": span.start, "width": span.end - span.start, "height": _BAR}
    face = style.face if span.ok else "white"
    lines = style.lines if span.ok else style.face
    ax.barh(**where, color=face, edgecolor=lines, hatch=style.hatch, linewidth=0, zorder=2)
    edge, dashes = ("white", "-") if span.ok else (FAILED, "--")
    width = 1 if span.ok else 1.8
    ax.barh(**where, fill=False, edgecolor=edge, linewidth=width, linestyle=dashes, zorder=3)


def _draw_bound(ax: "Axes", bound: float) -> None:
    ax.axvline(bound, color=_INK, linewidth=1.4, linestyle=(0, (4, 2)), zorder=4)
    has_room_right = bound < ax.get_xlim()[1] * 0.8
    ax.annotate(
        f"lower bound {bound:.2f} s",
        (bound, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4 if has_room_right else -4, 2),
        textcoords="offset points",
        ha="left" if has_room_right else "right",
        fontsize=9,
        color=_INK,
    )


class _Room(NamedTuple):
    """Pixels for a bar's name: within the bar, and beside it up to the next."""

    inside: float
    beside: float


def _write_labels(
    ax: "Axes", spans: Sequence[Span], lanes: Sequence[str], styles: dict[str, Style]
) -> bool:
    """Names in the bars, or beside short ones; False where one found no room."""
    if len(spans) > 200:
        return False
    _figure_of(ax).draw_without_rendering()  # settles the layout, so that widths can be measured
    end = ax.get_xlim()[1]
    per_pixel = end / ax.bbox.width
    everywhere = True
    for lane, worker in enumerate(lanes):
        bars = sorted((span for span in spans if span.worker == worker), key=lambda s: s.start)
        edges = [span.start for span in bars[1:]] + [end]
        for span, following in zip(bars, edges, strict=False):  # an empty lane has an edge
            inside, beside = span.end - span.start, following - span.end
            room = _Room(inside / per_pixel, beside / per_pixel)
            if not _write_label(ax, span, lane, styles[span.label], room):
                everywhere = False
    return everywhere


def _write_label(ax: "Axes", span: Span, lane: int, style: Style, room: _Room) -> bool:
    from matplotlib.patheffects import withStroke

    ending = ending_of(span)
    names = [f"✗ {span.label} {ending}", f"✗ {ending}"] if ending else [span.label]
    ground, colour = (style.face, style.text) if span.ok else ("white", _INK)
    text = ax.text(0, lane, "", fontsize=10, zorder=5, va="center_baseline", parse_math=False)
    for name in names:
        text.set_text(name)
        needed = text.get_window_extent().width + 10
        if needed <= room.inside:
            text.set(x=(span.start + span.end) / 2, ha="center", color=colour)
            text.set_path_effects([withStroke(linewidth=3, foreground=ground)])
            return True
        if needed <= room.beside:
            text.set(x=span.end, ha="left", color=_INK, text=f" {name}")
            return True
    text.remove()
    return False


def _draw_legend(ax: "Axes", styles: dict[str, Style]) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(facecolor=style.face, edgecolor=style.lines, hatch=style.hatch, label=label)
        for label, style in list(styles.items())[:_MOST_IN_LEGEND]
    ]
    place = {"loc": "lower right", "ncols": len(patches), "frameon": False, "fontsize": 10}
    legend = _figure_of(ax).legend(handles=patches, borderaxespad=0.2, columnspacing=1.4, **place)
    for text in legend.get_texts():
        text.set_parse_math(False)
    legend.set_in_layout(False)  # it shares the line of the axis label
    ax.set_xlabel("seconds", loc="left")
