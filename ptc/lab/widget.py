"""The widget of the lab, which shows what the other modules say."""

import asyncio
import base64
import html
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import ipywidgets as widgets

from ..timeline import small_png
from .background import Background
from .challenges import CHALLENGES, CONCLUSION
from .controls import (
    OWN,
    make_box,
    make_conclusion,
    make_controls,
    make_guess,
    make_image,
    make_run_button,
    make_scenarios,
    make_stop_button,
)
from .history import chart, describe_history, to_csv
from .layout import HEIGHT, WIDTH
from .page import NAMES, STYLE, describe, table, turns
from .picture import Picture
from .prediction import Prediction, predict
from .real_run import Run
from .settings import SCENARIOS, TOOLS, Settings

_BLINK = 0.05  # seconds after a picture, in which the table and the turns follow
_REST = 0.4  # seconds without a change, after which the chart follows


class LatencyLab(widgets.VBox):
    """The lab: an expression that a notebook shows. Starts from keyword :class:`Settings`.

    All that a reader does by hand, code can do: :meth:`set`, :meth:`run`, :meth:`stop`;
    ``settings``, ``predicted``, ``measured`` and ``history`` say what came of it.
    """

    def __init__(self, **settings: Any) -> None:
        start = Settings(**settings)
        self._picture, self._background = Picture(), Background(self._hear)
        self._failure, self._guess_made = "", None
        self._held, self._calls = False, 0  # of the run under way, both ways
        self._numbers_due = False
        self._rest_due: asyncio.TimerHandle | None = None
        self.history: list[Run] = []
        self.solved: set[int] = set()
        self._make_controls(start)
        self._make_views()
        super().__init__(self._sections())
        self.add_class("ptc-lab")
        self._show()
        self._show_rest()

    # --- what code can ask and do -------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """What the controls say now."""
        values = {name: control.value for name, control in self.controls.items()}
        floats = {name: round(v, 3) for name, v in values.items() if isinstance(v, float)}
        return Settings(**values | floats)

    def set(self, **changes: Any) -> None:
        """Move controls, all at once; the names are those of :class:`Settings`."""
        wanted = replace(self.settings, **changes)
        self._held = True
        try:
            for name, control in self.controls.items():
                control.value = getattr(wanted, name)
        finally:
            self._held = False
        self._changed()

    def scenario(self, name: str) -> None:
        """Set the controls to one of :data:`SCENARIOS`."""
        if name not in SCENARIOS:
            raise ValueError(f"no scenario named {name!r}; known: {list(SCENARIOS)}")
        self.set(**asdict(SCENARIOS[name]))

    @property
    def predicted(self) -> Prediction:
        """What to expect of the settings."""
        return predict(self.settings)

    @property
    def measured(self) -> Run | None:
        """The last real run of these settings, if there was one."""
        return next((run for run in reversed(self.history) if run.settings == self.settings), None)

    @property
    def running(self) -> bool:
        """Whether a real run is under way."""
        return self._background.running

    def run(self, wait: bool = True) -> Run | None:
        """Run the settings for real, in a thread of its own; gives the run once it is over.

        With ``wait=False`` returns at once. None if it was stopped.

        Raises:
            RuntimeError: a run is under way already, or this one failed.
        """
        if self.running:
            raise RuntimeError("a run is under way; wait for it, or stop() it first")
        self._begin()
        return self.wait() if wait else None

    def wait(self) -> Run | None:
        """Wait for the run under way, and give it; an interrupt stops it."""
        before = len(self.history)
        try:
            self._background.wait()
        except KeyboardInterrupt:
            self.stop()
            raise
        if self._failure:
            raise RuntimeError(self._failure)
        return self.history[-1] if len(self.history) > before else None

    def stop(self) -> None:
        """End the run under way: no call starts any more, and those under way are woken."""
        self._background.stop()

    def to_csv(self) -> str:
        """The history as CSV: settings, and predicted and measured numbers, a run a line."""
        return to_csv(self.history)

    def summary(self) -> str:
        """The lab in text: settings and prediction in numbers, and the last run of them."""
        settings, expected, run = self.settings, self.predicted.ideal, self.measured
        asked = ", ".join(f"{tool} {settings.seconds(tool):.2f} s" for tool in TOOLS)
        (slow, fast), (many, two) = expected.seconds, expected.end_to_end
        each = [1000 * overhead.attempt for overhead in self.predicted.overheads]
        lines = [
            f"LatencyLab: {len(settings.calls)} calls on {settings.workers} workers; {asked}",
            f"predicted: {slow:.2f} s one after the other, {fast:.2f} s in parallel, "
            f"{expected.speedup:.2f} times as fast",
            f"lower bound {expected.bound:.2f} s. {self.predicted.binds}",
            f"with the model: {many:.2f} s in {len(settings.calls) + 1} turns with one call each, "
            f"{two:.2f} s in 2 turns with all calls in one, "
            f"{expected.end_to_end_speedup:.2f} times as fast",
            f"overhead on top: ≈ {each[0]:.2f} ms a call one after the other, "
            f"≈ {each[1]:.2f} ms in parallel",
        ]
        return "\n".join([*lines, f"measured:\n{run}"] if run else lines)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        data = super()._repr_mimebundle_(**options)
        if data is None:
            return None
        still = Picture(scale=2).draw(self.predicted, self.measured, self._hidden)
        alt = describe(self.predicted, self.measured, self._hidden)
        about = {"alt": alt, "width": WIDTH, "height": HEIGHT}
        more = {"text/plain": self.summary(), "image/png": small_png(still)}
        return data | more, {"image/png": about}

    # --- what there is to see -----------------------------------------------------------------

    def _make_controls(self, start: Settings) -> None:
        self.controls = make_controls(start)
        self.scenarios, self.guess, self.conclusion = (
            make() for make in (make_scenarios, make_guess, make_conclusion)
        )
        self.hide = widgets.Checkbox(description="hide the prediction until I run", indent=False)
        for control in (*self.controls.values(), self.hide):
            control.observe(self._changed, "value")
        self.scenarios.observe(self._choose, "value")
        self.run_button, self.stop_button = make_run_button(), make_stop_button()
        self.clear_button = widgets.Button(description="Clear the history")
        self.compare_button = widgets.Button(description="Compare")
        self.run_button.on_click(lambda _: self.running or self._begin())
        self.stop_button.on_click(lambda _: self.stop())
        self.clear_button.on_click(lambda _: self._forget())
        self.compare_button.on_click(lambda _: self._compare())

    def _make_views(self) -> None:
        self.image, self.chart = make_image("ptc-picture"), make_image("ptc-picture", "ptc-chart")
        self.numbers, self.turns, self.status, self.words = (widgets.HTML() for _ in range(4))
        self.links, self.tasks, self.model_answer = (widgets.HTML() for _ in range(3))
        self.status.add_class("ptc-status")

    def _sections(self) -> list[widgets.Widget]:
        names = ("workers", "cities", "time", "date", "weather", "model")
        more = ("order", "kind", "failures", "attempts")
        left = widgets.VBox([self.scenarios, *(self.controls[name] for name in names)])
        return [
            widgets.HTML(f'<style onload="{html.escape(NAMES)}">{STYLE}</style>'),
            make_box("ptc-top", left, self.numbers),
            make_box("ptc-row", self.run_button, self.stop_button, self.guess, self.hide),
            self.status,
            self.image,
            self.words,
            widgets.HTML("<h3>With the model’s turns</h3>"),
            self.turns,
            widgets.HTML("<h3>More to vary</h3>"),
            make_box("ptc-top", *(self.controls[name] for name in more)),
            widgets.HTML("<h3>History of your runs</h3>"),
            self.chart,
            make_box("ptc-row", self.clear_button, self.links),
            widgets.HTML("<h3>Challenges</h3>"),
            self.tasks,
            self.conclusion,
            make_box("ptc-row", self.compare_button, self.model_answer),
        ]

    # --- what happens -------------------------------------------------------------------------

    def _choose(self, change: Any) -> None:
        if change.new != OWN and SCENARIOS[change.new] != self.settings:
            self.scenario(change.new)

    def _changed(self, _: Any = None) -> None:
        if self._held:
            return
        self._show_picture()
        if not self.running and self.measured is None:
            self.status.value = ""  # it was about other settings
        known = {settings: name for name, settings in SCENARIOS.items()}
        self.scenarios.value = known.get(self.settings, OWN)
        self._show_the_others_soon()

    def _begin(self) -> None:
        self._failure, self._guess_made = "", self._guessed()
        self.run_button.disabled, self.stop_button.disabled = True, False
        self._calls = 2 * len(self.settings.calls)
        self._say("starting", 0)
        self._background.start(self.settings)

    def _guessed(self) -> float | None:
        with suppress(ValueError):
            return float(self.guess.value.replace(",", ".")) or None
        return None

    def _hear(self, kind: str, *about: Any) -> None:
        if kind == "doing":
            return self._say(*about)
        self.run_button.disabled, self.stop_button.disabled = False, True
        if kind == "done":
            return self._add(replace(about[0], guess=self._guess_made))
        self._failure = about[0] if kind == "failed" else ""
        told = f"The run failed: {self._failure}" if self._failure else "Stopped."
        self.status.value = f"<p>{html.escape(told)}</p>"

    def _add(self, run: Run) -> None:
        self.history.append(run)
        solved = (n for n, challenge in enumerate(CHALLENGES) if challenge.solved_by(run))
        self.solved.update(solved)
        self._show()
        self._show_rest()
        guessed = f" You guessed {run.guess:g} times." if run.guess else ""
        told = f"Measured: {run.speedup:.2f} times as fast; predicted: {run.predicted.speedup:.2f}."
        self.status.value = (
            f"<details><summary>{told}{guessed} The model's answer</summary>"
            f"<p>{html.escape(run.answer)}</p></details>"
        )

    def _forget(self) -> None:
        self.history.clear()
        self._show()
        self._show_rest()

    def _compare(self) -> None:
        told = "Write yours first."
        if self.conclusion.value.strip():
            told = f"<b>One way to say it:</b> {CONCLUSION}"
        self.model_answer.value = f"<p>{told}</p>"

    # --- what is shown ------------------------------------------------------------------------

    @property
    def _hidden(self) -> bool:
        return self.hide.value and self.measured is None

    def _say(self, doing: str, done: int) -> None:
        of = self._calls
        self.status.value = (
            f'<p><progress max="{of}" value="{done}" aria-label="calls done"></progress> '
            f"{doing}: {done} of {of} calls done</p>"
        )

    def _show(self) -> None:
        self._show_picture()
        self._show_numbers()

    def _show_picture(self) -> None:
        self.image.value = self._picture.draw(self.predicted, self.measured, self._hidden)

    def _show_numbers(self) -> None:
        self._numbers_due = False
        about = self.predicted, self.measured, self._hidden
        self.numbers.value, self.turns.value = table(*about), turns(*about)

    def _show_the_others_soon(self) -> None:
        """The picture goes first: while the browser lays text out, it paints nothing."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._show_numbers()
            return self._show_rest()
        if not self._numbers_due:
            self._numbers_due = True
            loop.call_later(_BLINK, self._show_numbers)
        if self._rest_due is not None:
            self._rest_due.cancel()
        self._rest_due = loop.call_later(_REST, self._show_rest)

    def _show_rest(self) -> None:
        words = describe(self.predicted, self.measured, self._hidden)
        self.words.value = (
            "<details><summary>The picture in words</summary>"
            f'<p class="ptc-say-picture">{html.escape(words)}</p></details>'
        )
        self.chart.value = chart(self.settings, self.history)
        self._show_links()
        tasks = [
            f"<li>{'✓ Solved:' if number in self.solved else '○ Open:'} {task.question}</li>"
            for number, task in enumerate(CHALLENGES)
        ]
        self.tasks.value = f"<ul>{''.join(tasks)}</ul>"

    def _show_links(self) -> None:
        data = base64.b64encode(self.to_csv().encode()).decode()
        runs = f"{len(self.history)} run{'s' * (len(self.history) != 1)}"
        link = f'<a download="runs.csv" href="data:text/csv;base64,{data}">save as CSV</a>'
        self.links.value = (
            f"<span>{runs}, {link}.</span><details><summary>The chart in words</summary>"
            f'<p class="ptc-say-chart">{describe_history(self.history)}</p></details>'
        )
