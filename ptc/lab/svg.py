"""Drawings as SVG text: bars in the hatch of their tool, lines, arrows and words.

A browser draws them sharp on every screen, and they carry what they show in words themselves.
"""

import html
from collections.abc import Iterable

from ..timeline import FAILED, FIXED_STYLES, Style

__all__ = ["GRID", "INK", "LANE", "QUIET", "arrow", "bar", "drawing", "line", "text", "width_of"]

INK, QUIET, GRID, LANE = "#1F1F1F", "#595959", "#C2C2C2", "#F4F4F4"

# What a hatch of the charts is within a square of eight pixels.
_HATCHES = {
    "///": '<path d="M-2 2l4-4M0 8l8-8M6 10l4-4" stroke="{lines}" stroke-width="1.6"/>',
    "\\\\\\": '<path d="M-2 6l4 4M0 0l8 8M6-2l4 4" stroke="{lines}" stroke-width="1.6"/>',
    "...": '<circle cx="2" cy="2" r="1.3" fill="{lines}"/><circle cx="6" cy="6" r="1.3" '
    'fill="{lines}"/>',
    "": "",
}


def _pattern(name: str, ground: str, hatch: str, lines: str) -> str:
    return (
        f'<pattern id="ptc-{name}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<rect width="8" height="8" fill="{ground}"/>{_HATCHES[hatch].format(lines=lines)}'
        "</pattern>"
    )


def _patterns(name: str, style: Style) -> str:
    failed = _pattern(f"{name}-failed", "#FFFFFF", style.hatch, style.face)
    return _pattern(name, style.face, style.hatch, style.lines) + failed


_DEFINITIONS = (
    f"<defs>{''.join(_patterns(*item) for item in FIXED_STYLES.items())}"
    '<marker id="ptc-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    f'orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0L8 4L0 8Z" fill="{INK}"/></marker>'
    "</defs>"
)


def drawing(width: int, height: int, words: str, parts: Iterable[str], name: str = "") -> str:
    """An SVG image with its words for who can't see it; ``name`` is a class for the page.

    >>> drawing(10, 5, "A line.", [line(0, 0, 10, 5)])[:62]
    '<svg class="ptc-picture " role="img" aria-label="A line." view'
    """
    return (
        f'<svg class="ptc-picture {name}" role="img" aria-label="{html.escape(words)}" '
        f'viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">'
        f'{_DEFINITIONS}<rect width="{width}" height="{height}" fill="#FFFFFF"/>'
        f"{''.join(parts)}</svg>"
    )


def bar(
    left: float,
    top: float,
    width: float,
    height: float,
    label: str,
    ok: bool = True,
    pale: bool = False,
) -> str:
    """A bar in its tool's style; one that failed has a frame, a predicted one may be pale.

    bar(84, 36, 100, 42, "get_time")
    """
    style = FIXED_STYLES[label]
    if ok:
        fill, edge = f"url(#ptc-{label}) {style.face}", 'stroke="#FFFFFF"'
    else:
        fill, edge = f"url(#ptc-{label}-failed) #FFFFFF", _FAILED_EDGE
    opacity = ' opacity="0.35"' if pale else ""
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{fill}" {edge}{opacity}/>'
    )


_FAILED_EDGE = f'stroke="{FAILED}" stroke-width="2" stroke-dasharray="5 3"'


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: float = 12,
    anchor: str = "start",
    color: str = INK,
    bold: bool = False,
    ground: str = "",
) -> str:
    """Words whose baseline is at ``y``; ``ground`` is a halo that keeps a hatch from the letters.

    >>> text(84, 20, "3 < 4")
    '<text x="84.0" y="20.0" font-size="12" text-anchor="start" fill="#1F1F1F">3 &lt; 4</text>'
    """
    weight = ' font-weight="700"' if bold else ""
    halo = f' stroke="{ground}" stroke-width="4" paint-order="stroke"' if ground else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" '
        f'fill="{color}"{weight}{halo}>{html.escape(words)}</text>'
    )


def width_of(words: str, size: float = 12) -> float:
    """About how many pixels the words take in a browser's plain font, rather too many.

    >>> round(width_of("get_time"), 1)
    57.6
    """
    return 0.6 * size * len(words)


def line(
    x: float,
    y: float,
    to_x: float,
    to_y: float,
    color: str = GRID,
    width: float = 1,
    dashes: str = "",
) -> str:
    """A straight line, dashed if need be.

    line(84, 36, 84, 388, dashes="6 3")
    """
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" stroke="{color}" '
        f'stroke-width="{width:g}"{dashed}/>'
    )


def arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    """A bow from one point to another, with a tip at its end and a pale rim to stand out.

    arrow(200, 150, 240, 190)
    """
    bend = max(12.0, (to_x - x) / 2)
    bow = f"{x + bend:.1f} {y:.1f} {to_x - bend:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    path = f'<path d="M{x:.1f} {y:.1f}C{bow}" fill="none"'
    return (
        f'{path} stroke="#FFFFFF" stroke-width="4"/>'
        f'{path} stroke="{INK}" stroke-width="1.6" marker-end="url(#ptc-tip)"/>'
    )
