"""A timeline as a picture: a Gantt chart, one lane a worker, one style a tool."""

import math
import zlib
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from .spans import Span, _count, _natural, describe_timeline, lanes_of, makespan, most_at_once

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Style(NamedTuple):
    """How a tool looks in every chart: the face, the hatch and their colours."""

    face: str
    hatch: str
    lines: str
    text: str


# Okabe and Ito's colours, which colour-blind readers can tell apart; vermillion is for failures.
FIXED_STYLES = {
    "get_time": Style("#0072B2", "///", "#2C8CC4", "#FFFFFF"),
    "get_date": Style("#E69F00", "...", "#B97F00", "#000000"),
    "get_weather": Style("#009E73", "\\\\\\", "#33B48F", "#000000"),
}
_OTHER_STYLES = (
    Style("#CC79A7", "xxx", "#DB9DBF", "#000000"),
    Style("#F0E442", "---", "#CFC321", "#000000"),
    Style("#56B4E9", "+++", "#86CBF2", "#000000"),
    Style("#8A8A8A", "ooo", "#A6A6A6", "#000000"),
)
FAILED = "#D55E00"


def tool_styles(labels: Iterable[str]) -> dict[str, Style]:
    """One style a label, the same in every chart for the workbook's three tools.

    Another label's style follows from its name, and from its neighbours only where two clash.
    """
    taken: list[int] = []
    found = set(labels)
    styles = {label: style for label, style in FIXED_STYLES.items() if label in found}
    for label in sorted(found - FIXED_STYLES.keys(), key=_natural):
        wanted = zlib.crc32(label.encode()) % len(_OTHER_STYLES)
        turns = [(wanted + step) % len(_OTHER_STYLES) for step in range(len(_OTHER_STYLES))]
        taken.append(min(turns, key=taken.count))  # the first of those used least
        styles[label] = _OTHER_STYLES[taken[-1]]
    return styles


_INK, _QUIET, _GRID = "#222222", "#595959", "#E3E3E3"
_BAR = 0.72  # of a lane
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
    """A Gantt chart, one lane a worker: returns its figure, which a notebook shows as it is.

    ``workers`` keeps a lane for each of them, used or not. ``until`` ends the axis there, so that
    two charts can be compared, and ``bound`` draws a line at the lower bound. With ``ax``, draws
    into it.
    """
    lanes = lanes_of(spans, workers) or ["worker-1"]
    if ax is None:
        ax = _new_axes(len(lanes))
        ax.figure._repr_mimebundle_ = lambda **_: _picture(ax.figure, spans)  # IPython asks for it
    ax.set_xlim(0, until or 1.04 * makespan(spans) or 1)
    _set_axes(ax, lanes, title if title is not None else _message(spans))
    styles = tool_styles(span.label for span in spans)
    for span in spans:
        _draw_bar(ax, span, lanes.index(span.worker), styles[span.label])
    if bound is not None:
        _draw_bound(ax, bound)
    if not _write_labels(ax, spans, lanes, styles):
        _draw_legend(ax, styles)
    return ax.figure


def _message(spans: Sequence[Span]) -> str:
    if not spans:
        return "Nothing ran"
    bars = _count(len(spans), "call" if all(span.ok for span in spans) else "attempt")
    at_once = most_at_once(spans)
    how = "one at a time" if at_once == 1 else f"at most {at_once} at once"
    return f"{bars} in {makespan(spans):.2f} s, {how}"


def _new_axes(lanes: int) -> "Axes":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = min(1.05 + 0.36 * lanes, 9.0)
    figure = Figure(figsize=(8, height), dpi=100, facecolor="white", layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # inches
    FigureCanvasAgg(figure)  # measures text, and needs no window
    return figure.add_subplot()


def _set_axes(ax: "Axes", lanes: Sequence[str], title: str) -> None:
    ax.set_title(title, loc="left", fontsize=12.5, fontweight="bold", color=_INK, pad=10)
    ax.set_xlabel("seconds since the batch began", loc="left", fontsize=10, color=_QUIET)
    step = math.ceil(len(lanes) / 24)  # more names than that don't fit
    ax.set_yticks(range(0, len(lanes), step), lanes[::step], fontsize=10, color=_INK)
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
    ax.annotate(
        f"lower bound {bound:.2f} s",
        (bound, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4 if bound < ax.get_xlim()[1] * 0.8 else -4, 2),
        textcoords="offset points",
        ha="left" if bound < ax.get_xlim()[1] * 0.8 else "right",
        fontsize=9,
        color=_INK,
    )


def _write_labels(
    ax: "Axes", spans: Sequence[Span], lanes: Sequence[str], styles: dict[str, Style]
) -> bool:
    """Names in the bars, or beside short ones; False where one found no room."""
    if len(spans) > 200:
        return False
    ax.figure.draw_without_rendering()  # settles the layout, so that widths can be measured
    per_pixel = ax.get_xlim()[1] / ax.bbox.width
    everywhere = True
    for lane, worker in enumerate(lanes):
        bars = sorted((span for span in spans if span.worker == worker), key=lambda s: s.start)
        edges = [span.start for span in bars[1:]] + [ax.get_xlim()[1]]
        for span, following in zip(bars, edges, strict=False):  # an empty lane has an edge
            room = (following - span.end) / per_pixel
            inside = (span.end - span.start) / per_pixel
            everywhere &= _write_label(ax, span, lane, styles[span.label], inside, room)
    return everywhere


def _write_label(
    ax: "Axes", span: Span, lane: int, style: Style, inside: float, room: float
) -> bool:
    from matplotlib.patheffects import withStroke

    words = span.label if span.ok else f"✗ {span.label} failed"
    colour = style.text if span.ok else _INK
    text = ax.text((span.start + span.end) / 2, lane, words, fontsize=10, color=colour, zorder=5)
    text.set(ha="center", va="center_baseline")
    text.set_path_effects([withStroke(linewidth=3, foreground=style.face if span.ok else "white")])
    needed = text.get_window_extent().width + 10
    if needed <= inside:
        return True
    text.set(x=span.end, ha="left", color=_INK, text=f" {words}")
    text.set_path_effects([])
    if needed <= room:
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
    legend = ax.figure.legend(handles=patches, borderaxespad=0.2, columnspacing=1.4, **place)
    legend.set_in_layout(False)  # it shares the line of the axis label
    ax.set_xlabel("seconds", loc="left")


def _picture(figure: "Figure", spans: Sequence[Span]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A notebook's output: a PNG of twice the pixels, its alt text and its size on the page."""
    data = BytesIO()
    figure.savefig(data, format="png", dpi=2 * figure.dpi, metadata={"Software": None})
    width, height = (int(inches * figure.dpi) for inches in figure.get_size_inches())
    alt = {"alt": describe_timeline(spans), "width": width, "height": height}
    plain = f"<Figure: timeline of {_count(len(spans), 'bar')}>"
    return {"image/png": small_png(data.getvalue()), "text/plain": plain}, {"image/png": alt}


def small_png(data: bytes) -> bytes:
    """The same chart in 64 colours: a third of the bytes in a notebook's file, and looks alike."""
    from PIL import Image

    small = BytesIO()
    Image.open(BytesIO(data)).convert("RGB").quantize(64).save(small, "PNG", optimize=True)
    return small.getvalue()


def show_timeline(spans: Sequence[Span], title: str | None = None, **options: Any) -> None:
    """Display the chart in a notebook, with its text alternative, and nothing else.

    ``options`` are those of :func:`plot_timeline`.
    """
    from IPython.display import display

    display(plot_timeline(spans, title=title, **options))
