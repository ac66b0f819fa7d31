"""What the lab writes on the page: its style, its names for screen readers, its numbers."""

import base64
import html
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import NamedTuple

from ..timeline.spans import count_of
from .challenges import CHALLENGES
from .history import chart_in_words, to_csv
from .layout import say_seconds
from .outcome import Outcome
from .prediction import Prediction
from .real_run import Run
from .settings import MEETINGS, TOOLS, Settings

__all__ = ["fold", "links", "setup", "status", "summary", "table", "tasks"]


def setup() -> str:
    """The lab's style, and the script that gives its controls names for screen readers.

    A page runs the script as soon as the style is loaded: a script in a widget's HTML never runs.
    """
    folder = files("ptc.lab")
    style, script = (folder.joinpath(f"lab.{kind}").read_text("utf-8") for kind in ("css", "js"))
    return f'<style onload="{html.escape(script)}">{style}</style>'


def table(predicted: Prediction, run: Run | None = None, hide: bool = False) -> str:
    """The numbers as an HTML table: predicted, measured, and how far they lie apart.

    table(predict(Settings()))
    """
    settings = predicted.settings
    rows = [*_rows(predicted, run, hide), *_bound_rows(predicted, hide)]
    head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    caption = f"{count_of(len(settings.calls), 'call')} on {count_of(settings.workers, 'worker')}"
    told = "" if hide else f"<p>{predicted.binds}</p>"
    return (
        f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{told}"
    )


class _Number(NamedTuple):
    """A row of the table; ``is_guess``: a reader who guesses first must not see it."""

    name: str
    of: Callable[[Outcome], float]
    said: Callable[[float], str]
    is_guess: bool = True


def _times(ratio: float) -> str:
    return f"{ratio:.2f} ×"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


_COLUMNS = ("of the batch", "predicted", "measured", "difference")
_NUMBERS = (
    _Number("one after the other", lambda outcome: outcome.seconds[0], say_seconds, False),
    _Number("in parallel", lambda outcome: outcome.seconds[1], say_seconds),
    _Number("speedup", lambda outcome: outcome.speedup, _times),
    _Number("utilisation", lambda outcome: outcome.utilisation, _percent),
    _Number("most calls at once", lambda outcome: outcome.at_once, "{:.0f}".format),
    _Number("one call a turn", lambda outcome: outcome.end_to_end[0], say_seconds, False),
    _Number("all calls in one turn", lambda outcome: outcome.end_to_end[1], say_seconds),
    _Number("speedup with the model", lambda outcome: outcome.end_to_end_speedup, _times),
)


def _rows(predicted: Prediction, run: Run | None, hide: bool) -> list[str]:
    rows = []
    for row in _NUMBERS:
        expected = "?" if hide and row.is_guess else row.said(row.of(predicted))
        measured, apart = "–", "–"
        if run:
            measured, apart = row.said(row.of(run)), _apart(row.of(predicted), row.of(run))
        rows.append(_row(row.name, expected, measured, apart, main=row.name == "speedup"))
    return rows


def _bound_rows(predicted: Prediction, hide: bool) -> list[str]:
    """The bounds, which nothing measures; the largest binds."""
    bounds = predicted.bounds
    named = {
        "bound: slowest call": bounds.slowest,
        "bound: longest chain": bounds.chain,
        "bound: work / workers": bounds.work,
    }
    if bounds.chain == bounds.slowest:  # no call waits for another
        del named["bound: longest chain"]
    return [
        _row(name, "?" if hide else say_seconds(seconds), "–", "–")
        for name, seconds in named.items()
    ]


def _row(name: str, *cells: str, main: bool = False) -> str:
    row = "".join(f"<td>{cell}</td>" for cell in cells)
    kind = ' class="ptc-main"' if main else ""
    return f'<tr{kind}><th scope="row">{name}</th>{row}</tr>'


def _apart(predicted: float, measured: float) -> str:
    if not predicted:
        return "–"
    ratio = measured / predicted
    return f"{100 * (ratio - 1):+.1f} %" if ratio < 2 else f"{ratio:.1f} times"


def fold(title: str, words: str) -> str:
    """Words that show when a reader opens them."""
    return f"<details><summary>{title}</summary><p>{html.escape(words)}</p></details>"


def status(run: Run) -> str:
    """What a run brought: how fast it was, what the model answered, and did otherwise."""
    guessed = f" You guessed {run.guess:g} times." if run.guess else ""
    told = f"Measured: {run.speedup:.2f} times as fast; predicted: {run.predicted.speedup:.2f}."
    answer = fold(f"{told}{guessed} The model's answer", run.answer or "None in words.")
    remarks = html.escape(" ".join(run.remarks))
    return f"{answer}<p>{remarks}</p>" if remarks else answer


def links(settings: Settings, history: Sequence[Run]) -> str:
    """The number of runs, their numbers as a file, and the chart in words."""
    data = base64.b64encode(to_csv(history).encode()).decode()
    link = f'<a download="runs.csv" href="data:text/csv;base64,{data}">save as CSV</a>'
    words = fold("The chart in words", chart_in_words(settings, history))
    return f"<span>{count_of(len(history), 'run')}, {link}.</span>{words}"


def tasks(solved: set[int]) -> str:
    """The challenges, each open or solved."""
    lines = [
        f"<li>{'✓ Solved:' if number in solved else '○ Open:'} {task.question}</li>"
        for number, task in enumerate(CHALLENGES)
    ]
    return f"<ul>{''.join(lines)}</ul>"


def summary(predicted: Prediction, run: Run | None = None) -> str:
    """The lab in text: settings and prediction in numbers, and the last run of them."""
    settings, expected = predicted.settings, predicted.ideal
    asked = ", ".join(f"{tool} {settings.seconds(tool):.2f} s" for tool in TOOLS)
    (slow, fast), (many, two) = expected.seconds, expected.end_to_end
    each = [1000 * overhead.attempt for overhead in predicted.overheads]
    calls, workers = len(settings.calls), count_of(settings.workers, "worker")
    meet = "" if settings.meet == MEETINGS[0] else "; calls of one city wait for each other"
    lines = [
        f"LatencyLab: {calls} calls on {workers}; {asked}{meet}",
        f"predicted: {slow:.2f} s one after the other, {fast:.2f} s in parallel, "
        f"{expected.speedup:.2f} times as fast",
        f"lower bound {expected.bound:.2f} s. {predicted.binds}",
        f"with the model: {many:.2f} s in {calls + 1} turns with one call each, "
        f"{two:.2f} s in 2 turns with all calls in one, "
        f"{expected.end_to_end_speedup:.2f} times as fast",
        f"overhead on top: ≈ {each[0]:.2f} ms a call one after the other, "
        f"≈ {each[1]:.2f} ms in parallel",
    ]
    return "\n".join([*lines, f"measured:\n{run}"] if run else lines)
