"""The real run: the scripted model asks, its calls are run both ways, and it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from time import perf_counter
from typing import Any

from ..calls import ToolResult
from ..execute import execute_parallel, execute_sequential
from ..provider import MODEL, ScriptedProvider
from ..registry import ToolRegistry
from ..timeline import most_at_once, spans
from ..wire import assistant_message, extract_parallel_calls, format_parallel_results
from .prediction import Outcome, Prediction, predict
from .settings import Settings
from .tools import Stop, lab_registry

_PAUSE = 0.05  # seconds for the page to show the news before something is measured
_TALK = 0.15  # seconds between two pieces of progress, lest they disturb the measured calls

Tell = Callable[[str, int], object]


@dataclass(frozen=True)
class Run(Outcome):
    """One real run: every bar and number comes from its results' attempts."""

    predicted: Prediction
    answer: str = ""
    guess: float | None = None

    def __str__(self) -> str:
        expected, n = self.predicted.ideal, len(self.settings.calls)
        ways = f"{n + 1} turns, one call each", "2 turns, all calls in one"
        lines = [
            f"{n} calls on {self.settings.workers} workers",
            _line("one after the other", expected.seconds[0], self.seconds[0], " s"),
            _line("in parallel", expected.seconds[1], self.seconds[1], " s"),
            _line("speedup", expected.speedup, self.speedup, " times"),
            f"most calls at once: {most_at_once(self.sequential)} one after the other, "
            f"{self.at_once} in parallel",
            "with the model:",
            *map(_line, ways, expected.end_to_end, self.end_to_end, (" s", " s")),
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
) -> Run:
    """A run from the results of its two batches and the lengths of the model's turns."""
    predicted = predict(settings)
    return Run(settings, spans(sequential), spans(parallel), turns, predicted, answer=answer)


def run_for_real(settings: Settings, stop: Stop, tell: Tell) -> Run:
    """Ask the scripted model, run its calls both ways, and let it answer.

    ``tell`` hears what is under way, and how many calls of the two batches are done. Raises
    :class:`Stopped` soon after ``stop`` is set.
    """
    with ScriptedProvider(latency=settings.model) as provider:
        stop.hang_up = provider.close
        try:
            with _client(provider) as client:
                return _run(settings, _Model(client, settings, stop), stop, tell)
        except Exception:
            stop.check()  # whatever went wrong after that is its consequence
            raise


def _run(settings: Settings, model: "_Model", stop: Stop, tell: Tell) -> Run:
    question: list[Any] = [{"role": "user", "content": settings.question}]
    tell("asking for all calls in one turn", 0)
    reply, first = model.ask(question)
    calls = extract_parallel_calls(reply)
    registry = _registry("one after the other", 0, settings, stop, tell)
    one_by_one = execute_sequential(calls, registry, retry=settings.retry)
    registry = _registry("in parallel", len(calls), settings, stop, tell)
    together = execute_parallel(calls, registry, settings.workers, retry=settings.retry)
    tell("the model answers", 2 * len(calls))
    history = [*question, assistant_message(reply, calls), *format_parallel_results(together)]
    final, last = model.ask(history)
    turns = _ask_one_by_one(model, question, one_by_one, tell)
    answer = final.choices[0].message.content
    return new_run(settings, one_by_one, together, (turns, (first, last)), answer)


def _ask_one_by_one(
    model: "_Model", history: list[Any], results: Sequence[ToolResult], tell: Tell
) -> list[float]:
    """The lengths of all turns of a model that asks for one call a turn.

    Its calls have been run: each turn is answered at once, with the result of the same call.
    """
    turns, left = [], list(results)
    while True:
        tell(f"one call a turn: turn {len(turns) + 1} of {len(results) + 1}", 2 * len(results))
        reply, seconds = model.ask(history, parallel_tool_calls=False)
        turns.append(seconds)
        calls = extract_parallel_calls(reply)
        if not calls:
            return turns
        answered = [replace(left.pop(0), call=call) for call in calls]
        history = [*history, assistant_message(reply, calls), *format_parallel_results(answered)]


def _registry(way: str, done: int, settings: Settings, stop: Stop, tell: Tell) -> ToolRegistry:
    """The tools of one batch, which tell now and then how many calls are done."""
    numbers, said = count(done + 1), perf_counter()

    def ended() -> None:
        nonlocal said
        number, now = next(numbers), perf_counter()
        if now - said >= _TALK:
            said = now
            tell(way, number)

    stop.check()
    tell(way, done)
    stop.wait(_PAUSE)
    return lab_registry(settings, stop, ended)


def _client(provider: ScriptedProvider) -> Any:
    """A client that is warm: what it loads for its first request is no part of the model's turn."""
    from ..client.failures import Client

    client = Client(base_url=provider.base_url, api_key="none", max_retries=0)
    client.models.list()
    return client


class _Model:
    """The scripted model behind a client of its provider."""

    def __init__(self, client: Any, settings: Settings, stop: Stop) -> None:
        self._create, self._stop = client.chat.completions.create, stop
        self._tools = lab_registry(settings, stop).to_wire()

    def ask(self, messages: list[Any], **options: Any) -> tuple[Any, float]:
        """The model's reply, and how many seconds it took."""
        self._stop.check()
        began = perf_counter()
        reply = self._create(model=MODEL, messages=messages, tools=self._tools, **options)
        return reply, perf_counter() - began
