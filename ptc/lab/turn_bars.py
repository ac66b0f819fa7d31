"""From question to answer, both ways: bars of the model's turns and of the calls between them."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from ..timeline import FIXED_STYLES
from ..timeline.spans import count_of
from .layout import WIDTH, say_seconds
from .outcome import CallBars
from .prediction import Prediction
from .real_run import Run
from .settings import TOOLS
from .svg import INK, bar, drawing, text, width_of

__all__ = ["turn_bars"]

_ROW, _BAR = 54, 24  # heights
_LEFT, _RIGHT = 12, WIDTH - 12


class _Part(NamedTuple):
    """``what``: the model, a tool, or all calls of a batch at once."""

    what: str
    seconds: float


class _Way(NamedTuple):
    """One way from question to answer."""

    title: str
    parts: list[_Part]


def turn_bars(predicted: Prediction, run: Run | None = None, hide: bool = False) -> str:
    """The model's turns and the calls, with one call a turn and with all calls in one, as SVG.

    turn_bars(predict(Settings()))
    """
    outcome, how = run or predicted, "measured" if run else "predicted"
    one, many = outcome.end_to_end
    (*asking, answering), (first, *rest) = outcome.turns
    name = f"{count_of(len(asking) + 1, 'turn')}, one call each: {say_seconds(one)} {how}"
    ways = [_Way(name, [*_in_turns(asking, outcome.one_by_one), _Part("model", answering)])]
    if not hide:
        name = f"{count_of(len(rest) + 1, 'turn')}, all calls in one: {say_seconds(many)} {how}"
        batch = _Part("batch", outcome.seconds[1])
        answers = [_Part("model", turn) for turn in rest]
        ways.append(_Way(name, [_Part("model", first), batch, *answers]))
    whole = max(one, many, 1e-9)
    words = " ".join(f"{way.title}, {_shares(way)}." for way in ways)
    parts = [part for number, way in enumerate(ways) for part in _row(way, number, whole)]
    return drawing(WIDTH, 2 * _ROW + 4, words, parts, "ptc-turns")


def _in_turns(turns: Sequence[float], calls: Sequence[CallBars]) -> Iterator[_Part]:
    """Turn and call by turns; a real model may have made more turns than calls, or fewer."""
    began = 0.0
    for turn, call in zip_longest(turns, calls):
        if turn is not None:
            yield _Part("model", turn)
        if call is not None and call.bars:
            ended = max(attempt.end for attempt in call.bars)
            yield _Part(call.tool, ended - began)
            began = ended


def _shares(way: _Way) -> str:
    model = sum(part.seconds for part in way.parts if part.what == "model")
    calls = sum(part.seconds for part in way.parts if part.what != "model")
    return f"of which {say_seconds(model)} is the model's and {say_seconds(calls)} the calls'"


def _row(way: _Way, number: int, whole: float) -> Iterator[str]:
    top = number * _ROW + 24
    yield text(_LEFT, top - 7, way.title, size=14)
    left = float(_LEFT)
    for part in way.parts:
        width = (_RIGHT - _LEFT) * part.seconds / whole
        if width > 0:
            yield from _part(part.what, left, top, width)
        left += width


def _part(what: str, left: float, top: float, width: float) -> Iterator[str]:
    if what == "batch":
        name, color, ground = "all calls", INK, "#FFFFFF"
        for number, tool in enumerate(TOOLS):
            yield bar(left, top + number * _BAR / len(TOOLS), width, _BAR / len(TOOLS), tool)
    else:
        name, style = what.removeprefix("get_"), FIXED_STYLES[what]
        color, ground = style.text, style.face
        yield bar(left, top, width, _BAR, what)
    if width_of(name) <= width - 6:
        middle = left + width / 2
        yield text(middle, top + 16, name, anchor="middle", color=color, ground=ground)
