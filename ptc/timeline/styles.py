"""How a tool looks in every chart: a colour and a hatch, the same wherever it stands."""

import zlib
from collections.abc import Iterable
from typing import NamedTuple

from .spans import natural_order

__all__ = ["FAILED", "FIXED_STYLES", "Style", "tool_styles"]


class Style(NamedTuple):
    """The face of a bar, its hatch, the colour of the hatch's lines and that of text on it."""

    face: str
    hatch: str
    lines: str
    text: str


# Okabe and Ito's colours, which colour-blind readers can tell apart; vermillion is for failures.
# The model is grey and plain: what it does is not a tool's work.
FIXED_STYLES = {
    "get_time": Style("#0072B2", "///", "#2C8CC4", "#FFFFFF"),
    "get_date": Style("#E69F00", "...", "#B97F00", "#000000"),
    "get_weather": Style("#009E73", "\\\\\\", "#33B48F", "#000000"),
    "model": Style("#8A8A8A", "", "#8A8A8A", "#000000"),
}
_OTHER_STYLES = (
    Style("#CC79A7", "xxx", "#DB9DBF", "#000000"),
    Style("#F0E442", "---", "#CFC321", "#000000"),
    Style("#56B4E9", "+++", "#86CBF2", "#000000"),
    Style("#5B4B9A", "ooo", "#8073B3", "#FFFFFF"),
)
FAILED = "#D55E00"


def tool_styles(labels: Iterable[str]) -> dict[str, Style]:
    """One style a label, the same in every chart for the workbook's three tools and the model.

    Another label's style follows from its name, and from its neighbours only where two clash.

    >>> tool_styles(["get_time"])["get_time"].face
    '#0072B2'
    """
    found = set(labels)
    styles = {label: style for label, style in FIXED_STYLES.items() if label in found}
    times_used = [0] * len(_OTHER_STYLES)
    for label in sorted(found - FIXED_STYLES.keys(), key=natural_order):
        wanted = zlib.crc32(label.encode("utf-8", "surrogatepass")) % len(_OTHER_STYLES)
        from_wanted = [*range(wanted, len(_OTHER_STYLES)), *range(wanted)]
        chosen = min(from_wanted, key=times_used.__getitem__)  # the first of those used least
        times_used[chosen] += 1
        styles[label] = _OTHER_STYLES[chosen]
    return styles
