"""Draws the lab's picture in some milliseconds."""

import re
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy

from ..timeline import FAILED, FIXED_STYLES
from .layout import (
    AXIS,
    GRID,
    HEIGHT,
    INK,
    LANE,
    LEFT,
    LEGEND,
    MANY,
    ONE,
    QUIET,
    RIGHT,
    WIDTH,
    Box,
    axis_end,
    boxes,
    headlines,
    lanes_of,
    say_seconds,
    tick_names,
    words_of,
    x_of,
)
from .prediction import Prediction
from .real_run import Run
from .settings import TOOLS

_MOST_BACKGROUNDS = 16  # of one to two megabytes each
_LINE, _ABOVE = 18, 14  # height of a line of text, and of its part above the baseline
_PALE = 0.3  # how much of its colour a predicted bar keeps beside a measured one


@lru_cache
def _rgba(color: str) -> tuple[int, ...]:
    return (*bytes.fromhex(color[1:]), 255)


@lru_cache
def _pale(color: str) -> str:
    from matplotlib.colors import to_hex, to_rgb

    return to_hex([_PALE * part + 1 - _PALE for part in to_rgb(color)])


class Picture:
    """Draws predictions and runs as PNG, in some milliseconds.

    matplotlib draws everything once, and each part is kept as pixels: a background for each number
    of workers and end of the axis, a sheet of each hatch, the names. A picture is put together of
    those; its headlines alone are drawn anew. ``scale`` 2 is for a still of twice the pixels.
    """

    def __init__(self, scale: int = 1) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.transforms import Affine2D

        self.scale = scale
        self.figure = Figure((WIDTH / 100, HEIGHT / 100), dpi=100 * scale)
        self.renderer = FigureCanvasAgg(self.figure).get_renderer()
        self.pixels = numpy.asarray(self.renderer.buffer_rgba())  # shared: what it draws is here
        self.place = Affine2D().scale(scale, -scale).translate(0, HEIGHT * scale)
        self._kept: dict[Any, Any] = {}

    def draw(self, predicted: Prediction, run: Run | None = None, hide: bool = False) -> bytes:
        """The picture of a prediction, and of a run of the same settings if there was one.

        ``hide`` leaves the parallel prediction to the reader's own guess.
        """
        end = axis_end(max(0.001, *predicted.seconds, *(run.seconds if run else ())))
        bars = boxes(predicted, run, end, hide)
        names = [self._keep(self._name, *name) for name in map(self._name_of, bars) if name]
        sheets = [self._keep(self._sheet, box.label, box.ok, box.pale) for box in bars]
        lines = [self._line(text, 11.5, INK, "bold") for text in headlines(predicted, run, hide)]
        label = self._line(f"lower bound {say_seconds(predicted.bound)}", 9, INK)
        note, _ = self._line("(pale: predicted, full: measured)" if run else "", 9.5, QUIET)
        self.pixels[:] = self._keep(self._background, predicted.settings.workers, end)
        for box, sheet in zip(bars, sheets, strict=True):
            self._paste_bar(box, sheet)
        named = (box for box in bars if self._name_of(box))
        for box, name in zip(named, names, strict=True):
            self._paste_name(box, name)
        for (tiles, _), y in zip(lines, (ONE[0], MANY[0]), strict=True):
            self._paste_line(tiles, LEFT, y - 9)
        self._paste_line(note, LEFT + 208, HEIGHT - 8)
        if not hide:
            self._mark_bound(x_of(predicted.bound, end), *label)
        return png(self.pixels)

    def _keep(self, make: Callable[..., Any], *about: Any) -> Any:
        """What ``make`` gives, made once, before the picture is begun: it may draw over it."""
        key = make.__name__, *about
        if key not in self._kept:
            self._kept[key] = make(*about)
            backgrounds = [kept for kept in self._kept if kept[0] == "_background"]
            if len(backgrounds) > _MOST_BACKGROUNDS:
                del self._kept[backgrounds[0]]
        return self._kept[key]

    def _background(self, workers: int, end: float) -> Any:
        lanes, ticks = [ONE, *lanes_of(workers)], tick_names(end)
        words = words_of(workers, ticks, end)
        lines = [self._line(*style) for _, _, _, *style in words]
        swatches = [self._keep(self._sheet, name, True, False) for name in TOOLS]
        self.pixels[:] = 255
        for top, bottom in lanes:
            self._paint(LEFT, RIGHT, top, bottom, LANE)
        for tick in ticks:
            x = round(x_of(float(tick), end))
            self._paint(x, x + 1, ONE[0] - 3, AXIS, GRID)
        for (x, y, side, *_), (tiles, width) in zip(words, lines, strict=True):
            self._paste_line(tiles, x - side * width, y)
        for name, sheet, x in zip(TOOLS, swatches, LEGEND, strict=True):
            box = Box(x - 30, x - 6, HEIGHT - 19, HEIGHT - 6, name, True, False)
            self._paste_bar(box, sheet)
        return self.pixels.copy()

    def _paint(self, left: float, right: float, top: float, bottom: float, color: str) -> None:
        left, right, top, bottom = (round(edge * self.scale) for edge in (left, right, top, bottom))
        self.pixels[top:bottom, left:right] = _rgba(color)

    def _sheet(self, *kind: Any) -> Any:
        """A whole picture full of one kind of bar, to cut bars from."""
        self._fill((-9, WIDTH + 9, -9, HEIGHT + 9), *_looks(*kind))
        return self.pixels.copy()

    def _name(self, text: str, label: str, ok: bool) -> Any:
        """A name on a plain pale ground: legible in both themes, and no hatch in its letters."""
        width = self._keep(self._width, text) + 8
        self._fill((0, width, 0, 16), _looks(label, ok, ok)[0])
        self._text(width / 2, 12, text, ha="center", size=9.5)
        return self.pixels[: 16 * self.scale, : int(width) * self.scale].copy()

    def _name_of(self, box: Box) -> tuple[str, str, bool] | None:
        """The longest name of the tool that the bar has room for."""
        full = box.label if box.ok else f"✗ {box.label}"
        short = box.label.removeprefix("get_") if box.ok else "✗"
        room = box.right - box.left - 12 if box.bottom - box.top >= 16 else 0
        fitting = (name for name in (full, short) if self._keep(self._width, name) <= room)
        text = next(fitting, None)
        return (text, box.label, box.ok) if text else None

    def _width(self, text: str) -> float:
        """Pixels that a name takes."""
        from matplotlib.font_manager import FontProperties

        font = FontProperties(size=9.5)
        return self.renderer.get_text_width_height_descent(text, font, False)[0] / self.scale

    def _paste_bar(self, box: Box, sheet: Any) -> None:
        """Cut the bar from its sheet; a gap keeps it from the next, a frame marks a failure."""
        left, right, top, bottom = (round(edge * self.scale) for edge in box[:4])
        self.pixels[top:bottom, left:right] = _rgba("#FFFFFF" if box.ok else FAILED)
        if box.ok:
            right -= self.scale * (right - left > 3 * self.scale)
        else:
            frame = 2 * self.scale
            left, right, top, bottom = left + frame, right - frame, top + frame, bottom - frame
        self.pixels[top:bottom, left:right] = sheet[top:bottom, left:right]

    def _paste_name(self, box: Box, name: Any) -> None:
        height, width, _ = name.shape
        left = round((box.left + box.right) / 2 * self.scale - width / 2)
        top = round((box.top + box.bottom) / 2 * self.scale - height / 2)
        self.pixels[top : top + height, left : left + width] = name

    def _mark_bound(self, x: float, tiles: list[Any], width: float) -> None:
        middle, s = round(x * self.scale), self.scale
        for y in range(MANY[0] - 4, AXIS - 6, 9):
            self.pixels[y * s : (y + 6) * s, middle - s : middle + s] = _rgba(INK)
        self._paste_line(tiles, x - 5 - width if x > RIGHT - 140 else x + 5, AXIS - 4)

    def _line(
        self, text: str, size: float, color: str, weight: str = "normal"
    ) -> tuple[list[Any], float]:
        """Text as tiles of pixels, which recur from picture to picture, and its width."""
        pieces = re.findall(r"\d|\D+", text)
        tiles = [self._keep(self._tile, piece, size, color, weight) for piece in pieces]
        return tiles, sum(tile.shape[1] for tile in tiles) / self.scale

    def _tile(self, piece: str, size: float, color: str, weight: str) -> Any:
        """A digit, or what stands between two numbers, on white."""
        from matplotlib.font_manager import FontProperties

        font = FontProperties(size=size, weight=weight)
        ends, whole = (
            self.renderer.get_text_width_height_descent(text, font, False)[0]
            for text in ("||", f"|{piece}|")  # spaces at its ends count as well
        )
        self._fill((0, WIDTH, 0, 40), "white")
        self._text(0, _ABOVE, piece, size=size, color=color, weight=weight)
        return self.pixels[: _LINE * self.scale, : round(whole - ends)].copy()

    def _paste_line(self, tiles: list[Any], x: float, y: float) -> None:
        left, top = round(x * self.scale), round((y - _ABOVE) * self.scale)
        for tile in tiles:
            height, width, _ = tile.shape
            self.pixels[top : top + height, left : left + width] = tile
            left += width

    def _text(self, x: float, y: float, text: str, **style: Any) -> None:
        from matplotlib.text import Text

        options = {"color": INK, "size": 10, "va": "baseline"} | style
        words = Text(*self.place.transform((x, y)), text, **options)
        words.set_figure(self.figure)
        words.draw(self.renderer)

    def _fill(self, box: Sequence[float], face: str, hatch: str = "", lines: str = "none") -> None:
        from matplotlib.patches import Polygon

        left, right, top, bottom = box
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        patch = Polygon(corners, facecolor=face, edgecolor=lines, hatch=hatch, linewidth=0)
        patch.set(transform=self.place, figure=self.figure, antialiased=False)
        patch.draw(self.renderer)


def _looks(label: str, ok: bool, pale: bool) -> tuple[str, str, str]:
    """Face, hatch and its colour of a kind of bar."""
    style = FIXED_STYLES[label]
    if not ok:
        return "#FFFFFF", style.hatch, style.face
    return (_pale(style.face), style.hatch, style.face) if pale else style[:3]


def png(pixels: Any) -> bytes:
    """PNG of an array of RGBA rows, without the A; made for speed, not for size."""
    height, width, _ = pixels.shape
    rows = numpy.zeros((height, 1 + 3 * width), numpy.uint8)
    color = pixels[:, :, :3].reshape(height, -1)
    rows[0, 1:] = color[0]
    rows[1:, 0] = 2  # each row says how it differs from the one above
    numpy.subtract(color[1:], color[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
