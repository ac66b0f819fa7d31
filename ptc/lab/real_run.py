"""The real run: a model asks, its calls are run both ways, and it answers.

The model is the scripted one, unless ``PTC_MODEL`` names a real one. A real one may do anything:
call nothing, call something else, answer in words or ask again. The two batches that are measured
are always those of the question, and what the model did otherwise is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from time import perf_counter

from ..calls import ToolCall, ToolResult
from ..execute import execute_parallel, execute_sequential
from ..registry import ToolRegistry
from ..timeline import most_at_once, spans
from ..timeline.spans import count_of
from .conversation import Conversation, converse, open_model
from .outcome import CallBars, Outcome
from .prediction import Prediction, predict
from .settings import Settings
from .tools import Stop, lab_registry

__all__ = ["Run", "new_run", "run_for_real"]

_PAUSE = 0.05  # seconds for the page to show the news before something is measured
_TALK = 0.15  # seconds between two pieces of progress, lest they disturb the measured calls

Tell = Callable[[str, int], object]


@dataclass(frozen=True)
class Run(Outcome):
    """One real run: every bar and number comes from its results' attempts.

    ``remarks``: what the model did otherwise than predicted, a sentence each.
    """

    predicted: Prediction
    answer: str = ""
    guess: float | None = None
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        expected, n = self.predicted.ideal, len(self.settings.calls)
        ways = f"{n + 1} turns, one call each", "2 turns, all calls in one"
        lines = [
            f"{n} calls on {count_of(self.settings.workers, 'worker')}",
            _line("one after the other", expected.seconds[0], self.seconds[0], " s"),
            _line("in parallel", expected.seconds[1], self.seconds[1], " s"),
            _line("speedup", expected.speedup, self.speedup, " times"),
            f"most calls at once: {most_at_once(self.sequential)} one after the other, "
            f"{self.at_once} in parallel",
            "with the model:",
            *map(_line, ways, expected.end_to_end, self.end_to_end, (" s", " s")),
            *self.remarks,
        ]
        return "\n".join(lines)


def _line(name: str, predicted: float, measured: float, unit: str) -> str:
    return f"{name}: predicted {predicted:.2f}{unit}, measured ≈ {measured:.2f}{unit}"


def new_run(
    settings: Settings,
    sequential: Sequence[ToolResult],
    parallel: Sequence[ToolResult],
    turns: tuple[Sequence[float], Sequence[float]] = ((), ()),
    answer: str = "",
    remarks: Sequence[str] = (),
) -> Run:
    """A run from the results of its two batches and the lengths of the model's turns.

    new_run(settings, execute_sequential(calls, registry), execute_parallel(calls, registry))
    """
    return Run(
        settings,
        [_bars_of(result) for result in sequential],
        [_bars_of(result) for result in parallel],
        turns,
        predict(settings),
        answer=answer,
        remarks=tuple(remarks),
    )


def _bars_of(result: ToolResult) -> CallBars:
    city = str(result.call.arguments.get("city", ""))
    return CallBars(result.call.name, city, spans([result]))


def run_for_real(settings: Settings, stop: Stop, tell: Tell) -> Run:
    """Ask the model, run its calls both ways, and let it answer.

        run_for_real(Settings(), Stop(), lambda doing, done: print(doing))

    ``tell`` hears what is under way, and how many calls of the two batches are done. Raises
    :class:`Stopped` soon after ``stop`` is set.
    """
    batches = _Batches(settings, stop, tell)
    needed = len(settings.calls) + 1

    def tell_whole(turn: int) -> None:
        doing = "asking for all calls in one turn" if turn == 1 else "the model answers"
        tell(doing, batches.done)

    def tell_each(turn: int) -> None:
        tell(f"one call a turn: turn {turn} of {max(turn, needed)}", batches.done)

    with open_model(settings, stop) as model:
        about = model, settings.question, batches.results_of
        whole = converse(*about, tell_whole, needed=2)
        batches.measure_if_not_yet()
        each = converse(*about, tell_each, needed=needed, parallel_tool_calls=False)
    return new_run(
        settings,
        batches.one_by_one,
        batches.together,
        (each.turns, whole.turns),
        whole.answer,
        [*_remarks_on(whole, batches), *_remarks_on_turns(each, settings)],
    )


class _Batches:
    """The two batches that are measured, run once; then their results answer what is asked."""

    def __init__(self, settings: Settings, stop: Stop, tell: Tell) -> None:
        self._settings, self._stop, self._tell = settings, stop, tell
        self.one_by_one: list[ToolResult] = []
        self.together: list[ToolResult] = []
        self.were_asked_for = False
        self.done = 0

    def results_of(self, calls: list[ToolCall]) -> list[ToolResult]:
        """Answers to calls of the model: those of the batch, if it asked for just these."""
        if not self.together and self._are_those_of_the_question(calls):
            self.were_asked_for = True
            self._measure(calls)
        return [self._result_of(call) for call in calls]

    def _are_those_of_the_question(self, calls: list[ToolCall]) -> bool:
        are_sound = all(call.problem is None and call.cut is None for call in calls)
        wanted = [(tool, {"city": city}) for tool, city in self._settings.calls]
        return are_sound and [(call.name, call.arguments) for call in calls] == wanted

    def measure_if_not_yet(self) -> None:
        """Run the question's own calls, where the model asked for others."""
        if not self.together:
            asked = enumerate(self._settings.calls)
            self._measure([ToolCall(f"own_{n}", tool, {"city": city}) for n, (tool, city) in asked])

    def _measure(self, calls: list[ToolCall]) -> None:
        settings = self._settings
        registry = self._registry("one after the other")
        self.one_by_one = execute_sequential(calls, registry, retry=settings.retry)
        self.done = len(calls)
        registry = self._registry("in parallel")
        self.together = execute_parallel(calls, registry, settings.workers, retry=settings.retry)
        self.done = 2 * len(calls)

    def _result_of(self, call: ToolCall) -> ToolResult:
        """What the batch found out, or a new answer, which is not measured."""
        for result in self.together:
            same = result.call.name == call.name and result.call.arguments == call.arguments
            if same and call.problem is None and call.cut is None:
                return replace(result, call=call)
        self._stop.check()
        quick = replace(self._settings, time=0, date=0, weather=0, failures=0)
        return execute_parallel([call], lab_registry(quick, self._stop))[0]

    def _registry(self, way: str) -> ToolRegistry:
        """The tools of one batch, which tell now and then how many calls are done."""
        numbers, said = count(self.done + 1), perf_counter()

        def ended() -> None:
            nonlocal said
            number, now = next(numbers), perf_counter()
            if now - said >= _TALK:
                said = now
                self._tell(way, number)

        self._stop.check()
        self._tell(way, self.done)
        self._stop.wait(_PAUSE)
        return lab_registry(self._settings, self._stop, ended)


def _remarks_on(whole: Conversation, batches: _Batches) -> Iterator[str]:
    """What a real model did otherwise, when asked for all calls at once."""
    own = "so the bars are those of the question's own calls."
    if not whole.asked:
        yield f"The model answered in words and called nothing, {own}"
    elif not batches.were_asked_for:
        first = whole.asked[0]
        calls = ", ".join(f"{call.name} {call.arguments.get('city', '')}".strip() for call in first)
        yield f"The model asked first for {count_of(len(first), 'call')} ({calls}), {own}"
    if len(whole.asked) > 1:
        yield f"It asked again: {len(whole.turns)} turns instead of 2."
    if whole.asked and len(whole.turns) == len(whole.asked):
        yield f"After {len(whole.turns)} turns it had still not answered in words."


def _remarks_on_turns(each: Conversation, settings: Settings) -> Iterator[str]:
    """What it did otherwise, when asked for one call a turn."""
    most, needed = max(map(len, each.asked), default=0), len(settings.calls) + 1
    if most > 1:
        yield f"Told to ask for one call a turn, it asked for up to {most}."
    if len(each.turns) != needed:
        yield f"One call a turn took it {len(each.turns)} turns instead of {needed}."
