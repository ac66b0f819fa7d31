"""The widget of the lab, which shows what the other modules say."""

import asyncio
import html
import math
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import ipywidgets as widgets

from ..timeline import picture_output
from .background import Background
from .challenges import CHALLENGES, CONCLUSION
from .controls import (
    OWN,
    make_box,
    make_button,
    make_conclusion,
    make_controls,
    make_guess,
    make_run_button,
    make_scenarios,
)
from .conversation import real_model
from .history import chart, to_csv
from .layout import WIDTH
from .page import fold, links, setup, status, summary, table, tasks
from .picture import picture, picture_in_words
from .prediction import Prediction, predict
from .real_run import Run
from .settings import SCENARIOS, Settings
from .still import still
from .turn_bars import turn_bars

__all__ = ["LatencyLab"]

_BLINK = 0.05  # seconds after a picture, in which the table and the turns follow
_REST = 0.4  # seconds without a change, after which the chart follows
_NOT_YET = "<p>Not measured yet: guess the speedup, then run it for real.</p>"
_ASLEEP = "This is a still picture of the lab. Run its cell, and its sliders and buttons come."


class LatencyLab(widgets.VBox):
    """The lab: an expression that a notebook shows. Starts from keyword :class:`Settings`.

        lab = LatencyLab(workers=3)
        lab.scenario("one slow tool")
        print(lab.run())

    All that a reader does by hand, code can do: :meth:`set`, :meth:`run`, :meth:`stop`;
    ``settings``, ``predicted``, ``measured`` and ``history`` say what came of it.
    """

    def __init__(self, **settings: Any) -> None:
        start = Settings(**settings)
        self._background = Background(self._hear)
        self._failure, self._guess_made = "", None
        self._is_held, self._calls = False, 0  # calls of the run under way, both ways
        self._is_numbers_due = False
        self._rest_due: asyncio.TimerHandle | None = None
        self.history: list[Run] = []
        self.solved: set[int] = set()
        self._make_controls(start)
        self._make_views()
        super().__init__(self._sections())
        self.add_class("ptc-lab")
        self._show_all()

    # --- what code can ask and do -------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """What the controls say now."""
        values: dict[str, Any] = {name: control.value for name, control in self.controls.items()}
        for name, value in values.items():
            if isinstance(value, float):
                values[name] = round(value, 3)  # sliders add up steps
        return Settings(**values)

    def set(self, **changes: Any) -> None:
        """Move controls, all at once; the names are those of :class:`Settings`.

        lab.set(workers=2, weather=0.8)
        """
        wanted = replace(self.settings, **changes)
        self._is_held = True
        try:
            for name, control in self.controls.items():
                control.value = getattr(wanted, name)
        finally:
            self._is_held = False
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
        return summary(self.predicted, self.measured)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        data = super()._repr_mimebundle_(**options)
        if data is None:
            return None
        about = self.predicted, self.measured, self._is_hidden
        words = picture_in_words(*about)
        asleep = picture_output(still(*about), words, WIDTH, self.summary(), note=_ASLEEP)
        return data | asleep.data, asleep.metadata

    # --- what there is to see -----------------------------------------------------------------

    def _make_controls(self, start: Settings) -> None:
        self.controls = make_controls(start)
        self.scenarios, self.guess = make_scenarios(), make_guess()
        self.conclusion = make_conclusion()
        self.hide = widgets.Checkbox(description="hide the prediction until I run", indent=False)
        for control in (*self.controls.values(), self.hide):
            control.observe(self._changed, "value")
        self.scenarios.observe(self._choose, "value")
        self.run_button = make_run_button()
        self.stop_button = make_button("Stop", icon="stop", layout={"width": "90px"})
        self.clear_button = make_button("Clear the history")
        self.compare_button = make_button("Compare")
        self.run_button.on_click(lambda _: self._press_run())
        self.stop_button.on_click(lambda _: self._press_stop())
        self.clear_button.on_click(lambda _: self._forget())
        self.compare_button.on_click(lambda _: self._show_conclusion())

    def _make_views(self) -> None:
        self.picture, self.turn_bars, self.chart = (widgets.HTML() for _ in range(3))
        self.numbers, self.status, self.words, self.model = (widgets.HTML() for _ in range(4))
        self.links, self.tasks, self.model_answer = (widgets.HTML() for _ in range(3))
        self.status.value = _NOT_YET
        self.status.add_class("ptc-status")

    def _sections(self) -> list[widgets.Widget]:
        names = ("workers", "cities", "time", "date", "weather", "model", "kind", "meet")
        more = ("order", "failures", "attempts")
        left = widgets.VBox([self.scenarios, *(self.controls[name] for name in names)])
        return [
            widgets.HTML(setup()),
            make_box("ptc-top", left, self.numbers),
            make_box("ptc-row", self.run_button, self.stop_button, self.guess, self.hide),
            self.status,
            self.picture,
            self.words,
            widgets.HTML("<h3>With the model’s turns</h3>"),
            self.turn_bars,
            self.model,
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
        if self._is_held:
            return
        self._show_picture()
        if not self.running and self.measured is None:
            self.status.value = _NOT_YET  # what stood there was about other settings
        known = {settings: name for name, settings in SCENARIOS.items()}
        self.scenarios.value = known.get(self.settings, OWN)
        self._show_the_others_soon()

    def _press_run(self) -> None:
        if not self.running:
            self._begin()

    def _press_stop(self) -> None:
        if self.running:
            self.stop()
        else:
            self.status.value = "<p>No run is under way.</p>"

    def _begin(self) -> None:
        self._failure, self._guess_made = "", self._guessed()
        self._calls = 2 * len(self.settings.calls)
        self._show_whether_it_runs(True)
        self._say("starting", 0)
        self._background.start(self.settings)

    def _show_whether_it_runs(self, it_runs: bool) -> None:
        if it_runs:
            self.run_button.description = "It runs …"
            self.run_button.add_class("ptc-under-way")
        else:
            self.run_button.description = "Run it for real"
            self.run_button.remove_class("ptc-under-way")

    def _guessed(self) -> float | None:
        with suppress(ValueError):
            guess = float(str(self.guess.value).replace(",", "."))
            if math.isfinite(guess) and guess > 0:
                return guess
        return None

    def _hear(self, kind: str, *about: Any) -> None:
        if kind == "doing":
            return self._say(*about)
        self._show_whether_it_runs(False)
        if kind == "done":
            return self._add(replace(about[0], guess=self._guess_made))
        self._failure = about[0] if kind == "failed" else ""
        told = f"The run failed: {self._failure}" if self._failure else "Stopped."
        self.status.value = f"<p>{html.escape(told)}</p>"

    def _add(self, run: Run) -> None:
        self.history.append(run)
        solved = (n for n, challenge in enumerate(CHALLENGES) if challenge.solved_by(run))
        self.solved.update(solved)
        self._show_all()
        self.status.value = status(run)

    def _forget(self) -> None:
        self.history.clear()
        self._show_all()

    def _show_conclusion(self) -> None:
        told = "Write yours first."
        if str(self.conclusion.value).strip():
            told = f"<b>One way to say it:</b> {CONCLUSION}"
        self.model_answer.value = f"<p>{told}</p>"

    # --- what is shown ------------------------------------------------------------------------

    @property
    def _is_hidden(self) -> bool:
        return bool(self.hide.value) and self.measured is None

    def _say(self, doing: str, done: int) -> None:
        of = self._calls
        self.status.value = (
            f'<p><progress max="{of}" value="{done}" aria-label="calls done"></progress> '
            f"{doing}: {done} of {of} calls done</p>"
        )

    def _show_all(self) -> None:
        self._show_picture()
        self._show_numbers()
        self._show_rest()

    def _show_picture(self) -> None:
        self.picture.value = picture(self.predicted, self.measured, self._is_hidden)

    def _show_numbers(self) -> None:
        self._is_numbers_due = False
        about = self.predicted, self.measured, self._is_hidden
        self.numbers.value, self.turn_bars.value = table(*about), turn_bars(*about)

    def _show_the_others_soon(self) -> None:
        """The picture goes first: while the browser lays text out, it paints nothing."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._show_numbers()
            return self._show_rest()
        if not self._is_numbers_due:
            self._is_numbers_due = True
            loop.call_later(_BLINK, self._show_numbers)
        if self._rest_due is not None:
            self._rest_due.cancel()
        self._rest_due = loop.call_later(_REST, self._show_rest)

    def _show_rest(self) -> None:
        words = picture_in_words(self.predicted, self.measured, self._is_hidden)
        self.words.value = fold("The picture in words", words)
        self.chart.value = chart(self.settings, self.history)
        self.model.value = f"<p>{html.escape(self._whose_turns())}</p>"
        self.links.value = links(self.settings, self.history)
        self.tasks.value = tasks(self.solved)

    def _whose_turns(self) -> str:
        if name := real_model():
            return (
                f"Grey is the model. PTC_MODEL is set: {name} takes the model's turns in a "
                "real run, however long they are, and the slider says what you expect. The calls "
                "that are measured are always the question's own."
            )
        return "Grey is the model, the scripted one: its turns take as long as the slider says."
