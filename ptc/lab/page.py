"""What the lab writes on the page: its style, its names for screen readers, its numbers."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from ..timeline import FIXED_STYLES, Span, describe_timeline
from .layout import headlines, say_seconds
from .prediction import Prediction
from .real_run import Run
from .settings import TOOLS

STYLE = """
.ptc-lab { max-width: 926px; gap: 10px; padding: 4px 2px; overflow: visible;
  color: var(--jp-ui-font-color1); }
.ptc-lab .ptc-top { display: grid; gap: 8px 28px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 350px), 1fr)); }
.ptc-lab .ptc-row { display: flex; flex-flow: row wrap; gap: 8px 12px; align-items: center; }
.ptc-lab .widget-inline-hbox { width: auto; }
.ptc-lab .widget-hslider, .ptc-lab .widget-dropdown { max-width: 460px; }
.ptc-lab .ptc-status { min-height: 26px; }
.ptc-lab .widget-label, .ptc-lab .widget-readout { color: var(--jp-ui-font-color1); }
.ptc-lab .ptc-picture { width: 100%; max-width: 920px; height: auto; border-radius: 6px;
  border: 1px solid var(--jp-border-color2); margin: 0; }
.ptc-lab table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
  font-size: var(--jp-ui-font-size1); line-height: 1.3; }
.ptc-lab caption { text-align: left; font-weight: 600; padding-bottom: 4px; }
.ptc-lab th, .ptc-lab td { padding: 4px 6px; text-align: right; font-weight: normal;
  border-bottom: 1px solid var(--jp-border-color2); }
.ptc-lab th:first-child { text-align: left; }
.ptc-lab thead th { font-weight: 600; }
.ptc-lab tr.ptc-main th, .ptc-lab tr.ptc-main td { font-weight: 700; font-size: 1.15em; }
.ptc-lab p, .ptc-lab li { margin: 6px 0 0; line-height: 1.4; }
.ptc-lab ul { list-style: none; margin: 0; padding: 0; }
.ptc-lab h3 { margin: 10px 0 0; font-size: 1.1em; }
.ptc-lab .widget-html-content, .ptc-lab .widget-html { height: auto; line-height: 1.4; }
.ptc-lab button.ptc-go { background: #0072B2; color: #FFFFFF; font-weight: 600; }
.ptc-lab button.ptc-go:disabled { background: #5A6872; opacity: 1; }
.ptc-lab button:focus-visible, .ptc-lab input:focus-visible, .ptc-lab select:focus-visible,
.ptc-lab .noUi-handle:focus-visible { outline: 3px solid #E69F00; outline-offset: 1px; }
.ptc-lab progress { width: 160px; accent-color: #0072B2; vertical-align: middle; }
.ptc-lab a { color: var(--jp-content-link-color, #0B5CAD); text-decoration: underline; }
body[data-jp-theme-light="false"] .ptc-lab :is(.ptc-picture, .ptc-bar) {
  filter: invert(0.93) hue-rotate(180deg); border-color: transparent; }
.ptc-lab .ptc-turns { max-width: 920px; }
.ptc-lab .ptc-turns p { margin: 2px 0; }
.ptc-lab .ptc-quiet { color: var(--jp-ui-font-color1); font-size: 0.92em; }
.ptc-lab .ptc-bar { display: flex; height: 16px; margin-bottom: 8px; }
.ptc-lab .ptc-bar i { flex: none; box-sizing: border-box; height: 100%; background: #8A8A8A;
  border-right: 1px solid #FFFFFF; }
"""
_FACES = [FIXED_STYLES[tool].face for tool in TOOLS]
STYLE += "".join(
    f".ptc-lab .ptc-bar .ptc-{tool} {{ background: {FIXED_STYLES[tool].face}; }}\n"
    for tool in TOOLS
)
STYLE += (
    ".ptc-lab .ptc-bar .ptc-batch { background: linear-gradient("
    f"{_FACES[0]} 33%, {_FACES[1]} 33% 67%, {_FACES[2]} 67%); }}\n"
)
# The widgets leave slider handles and pictures without a name for screen readers, and the notebook
# takes some keys for its own: an arrow on a dropdown would lead to the next cell.
NAMES = """(lab => { const name = () => {
  lab.querySelectorAll('.widget-slider').forEach(slider => {
    const words = slider.querySelector('label')?.textContent;
    slider.querySelector('.noUi-handle')?.setAttribute('aria-label', words);
    const readout = slider.querySelector('.widget-readout');
    readout?.setAttribute('role', 'textbox');
    readout?.setAttribute('aria-label', words + ', as a number'); });
  lab.querySelectorAll('.noUi-handle, select, button, summary').forEach(
    control => control.setAttribute('data-lm-suppress-shortcuts', 'true'));
  lab.querySelectorAll('img.ptc-picture').forEach(picture => {
    picture.alt = lab.querySelector(picture.matches('.ptc-chart') ? '.ptc-say-chart'
      : '.ptc-say-picture')?.textContent || 'being drawn'; });
  lab.querySelector('.ptc-status .widget-html-content')?.setAttribute('aria-live', 'polite');
  }; name();
  let soon;
  new MutationObserver(() => { clearTimeout(soon); soon = setTimeout(name, 150); })
    .observe(lab, {childList: true, subtree: true});
})(this.closest('.ptc-lab'))"""


def describe(predicted: Prediction, run: Run | None = None, hide: bool = False) -> str:
    """The picture in words."""
    one, many = headlines(predicted, run, hide)
    if hide:
        return f"{one}. {many}."
    bars = describe_timeline((run or predicted).parallel)
    return f"{one}. {many}. Lower bound {say_seconds(predicted.bound)}. In parallel: {bars}"


def table(predicted: Prediction, run: Run | None = None, hide: bool = False) -> str:
    """The numbers as an HTML table: predicted, measured, and how far they lie apart."""
    calls, workers = len(predicted.settings.calls), predicted.settings.workers
    rows = []
    for name, number, form, is_guess in _NUMBERS:
        cells = ["?" if hide and is_guess else form(number(predicted)), "–", "–"]
        if run and name != "lower bound":
            cells[1:] = form(number(run)), _apart(number(predicted), number(run))
        main = ' class="ptc-main"' if name == "speedup" else ""
        cells = "".join(f"<td>{cell}</td>" for cell in cells)
        name = name.format(turns=calls + 1)
        rows.append(f'<tr{main}><th scope="row">{name}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    caption = f"{calls} calls on {workers} worker{'s' * (workers > 1)}"
    told = "" if hide else f"<p>{predicted.binds}</p>"
    return (
        f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{told}"
    )


def _apart(predicted: float, measured: float) -> str:
    if not predicted:
        return "–"
    ratio = measured / predicted
    return f"{100 * (ratio - 1):+.1f} %" if ratio < 2 else f"{ratio:.1f} times"


def _times(ratio: float) -> str:
    return f"{ratio:.2f} ×"


_COLUMNS = ("of the batch", "predicted", "measured", "difference")
_NUMBERS: tuple[tuple[str, Callable[[Any], float], Callable[[float], str], bool], ...] = (
    ("one after the other", lambda outcome: outcome.seconds[0], say_seconds, False),
    ("in parallel", lambda outcome: outcome.seconds[1], say_seconds, True),
    ("lower bound", lambda outcome: outcome.bound, say_seconds, True),
    ("speedup", lambda outcome: outcome.speedup, _times, True),
    ("utilisation", lambda outcome: 100 * outcome.utilisation, "{:.0f} %".format, True),
    ("most calls at once", lambda outcome: outcome.at_once, "{:.0f}".format, True),
    ("{turns} turns, one call each", lambda outcome: outcome.end_to_end[0], say_seconds, False),
    ("2 turns, all calls in one", lambda outcome: outcome.end_to_end[1], say_seconds, True),
    ("speedup with the model", lambda outcome: outcome.end_to_end_speedup, _times, True),
)


def turns(predicted: Prediction, run: Run | None = None, hide: bool = False) -> str:
    """From question to answer, both ways, as HTML bars: the model's turns and the calls."""
    outcome, calls = run or predicted, len(predicted.settings.calls)
    how = "measured" if run else "predicted"
    one, many = map(say_seconds, outcome.end_to_end)
    whole = max(*outcome.end_to_end, 1e-9)
    (*asking, answering), (first, last) = outcome.turns
    pairs = zip(asking, _calls(outcome.sequential), strict=False)
    parts = [part for turn, call in pairs for part in ((None, turn), call)]
    rows = [_row(f"{calls + 1} turns, one call each: {one} {how}", parts, answering, whole)]
    if not hide:
        batch = [(None, first), ("batch", outcome.seconds[1])]
        rows.append(_row(f"2 turns, all calls in one: {many} {how}", batch, last, whole))
    legend = '<p class="ptc-quiet">Grey: the model takes its turn. Coloured: calls run.</p>'
    return f'<div class="ptc-turns">{"".join(rows)}{legend}</div>'


def _calls(timeline: Sequence[Span]) -> list[tuple[str, float]]:
    """The calls of a batch that ran one after the other, each from the end of the one before."""
    calls, since = [], 0.0
    for label, attempts in groupby(timeline, key=lambda span: span.label):
        end = max(span.end for span in attempts)
        calls.append((label, end - since))
        since = end
    return calls


def _row(title: str, parts: Sequence[tuple[str | None, float]], last: float, whole: float) -> str:
    bars = "".join(
        f'<i class="ptc-{name or "model"}" style="width:{100 * seconds / whole:.2f}%"></i>'
        for name, seconds in [*parts, (None, last)]
        if seconds
    )
    return f'<p>{title}</p><div class="ptc-bar" aria-hidden="true">{bars}</div>'
