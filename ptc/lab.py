"""The latency lab: move a slider, see how a batch of tool calls behaves, then run it for real.

Three parts, one after the other: the model (settings to prediction), the real run, and the
widgets, which only show what the first two say.
"""

import asyncio
import base64
import csv
import html
import io
import math
import os
import queue
import random
import re
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property, lru_cache, wraps
from hashlib import sha256
from itertools import count
from time import perf_counter, thread_time
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy

from .calls import ToolResult
from .execute import execute_parallel, execute_sequential
from .provider import MODEL, ScriptedProvider
from .registry import ToolRegistry
from .retry import RetryPolicy
from .text import explain
from .timeline import (
    FAILED,
    FIXED_STYLES,
    Span,
    describe_timeline,
    lower_bound,
    makespan,
    most_at_once,
    small_png,
    spans,
    total_work,
    utilisation,
    worker_names,
)
from .tools import CityTools
from .wire import assistant_message, extract_parallel_calls, format_parallel_results

# ================================================================ settings, and what they predict

CITIES = ("Paris", "Tokyo", "New York", "Cairo", "Sydney", "Lima")
ORDERS = ("as asked", "longest first")
WAITS, HOLDS, RELEASES = "waits", "computes, holding the GIL", "computes, releasing the GIL"
KINDS = (WAITS, HOLDS, RELEASES)
MOST_WORKERS, MOST_SECONDS = 16, 2.0
BACKOFF = 0.1  # seconds between two attempts


@dataclass(frozen=True, slots=True)
class Settings:
    """What the controls say. Seconds, except ``failures``, the share of attempts that fail."""

    workers: int = 4
    time: float = 0.3
    date: float = 0.3
    weather: float = 0.3
    cities: int = 1
    model: float = 0.5
    order: str = ORDERS[0]
    kind: str = WAITS
    failures: float = 0.0
    attempts: int = 3

    def __post_init__(self) -> None:
        ranges = {"workers": MOST_WORKERS, "cities": len(CITIES), "attempts": 5}
        for name, most in ranges.items():
            _check(name, getattr(self, name), 1, most)
        for name in ("time", "date", "weather", "model"):
            _check(name, getattr(self, name), 0, MOST_SECONDS)
        _check("failures", self.failures, 0, 1)
        for name, known in (("order", ORDERS), ("kind", KINDS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}={getattr(self, name)!r} is unknown; known: {known}")

    @property
    def question(self) -> str:
        """What the user asks the model."""
        *most, last = CITIES[: self.cities]
        places = f"{', '.join(most)} and {last}" if most else last
        return f"What's the time, the date and the weather in {places}?"

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Tool and city of each call, in the order in which the scripted model asks."""
        return [(tool, city) for city in CITIES[: self.cities] for tool in FIXED_STYLES]

    def seconds(self, tool: str) -> float:
        """How long one attempt of the tool takes."""
        return getattr(self, tool.removeprefix("get_"))

    def failed_attempts(self, tool: str, city: str) -> int:
        """How many attempts of this call fail before one that doesn't, at most ``attempts``.

        A seeded draw, which the prediction and the run share: the same at every run.
        """
        draw = random.Random(f"{tool} {city}")
        for failed in range(self.attempts):
            if draw.random() >= self.failures:
                return failed
        return self.attempts

    @property
    def retry(self) -> RetryPolicy:
        """Attempts as set, and a backoff without chance, so that it can be predicted."""
        return RetryPolicy(
            attempts=self.attempts, wait_initial=BACKOFF, wait_max=BACKOFF, wait_jitter=0
        )


def _check(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name}={value!r} is outside {least} to {most:g}")


def cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def capacity(kind: str) -> float:
    """How many calls of this kind can make progress at the same moment."""
    if kind == WAITS:
        return math.inf
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    return 1 if kind == HOLDS and has_gil else cores()


class Phase(NamedTuple):
    """A part of a call: an attempt (``ok`` says how it ends), or a backoff (``ok`` is None)."""

    seconds: float
    ok: bool | None


def phases(settings: Settings, tool: str, city: str) -> list[Phase]:
    """The attempts of one call with the backoffs between them."""
    failed = settings.failed_attempts(tool, city)
    made = [Phase(settings.seconds(tool), False)] * failed
    if failed < settings.attempts:
        made.append(Phase(settings.seconds(tool), True))
    parts = [part for attempt in made for part in (attempt, Phase(BACKOFF, None))]
    return parts[:-1]


def simulate(
    calls: Sequence[tuple[str, Sequence[Phase]]], workers: int, capacity: float = math.inf
) -> list[Span]:
    """The timeline of calls that start in the order given, each where a worker is free first.

    With one phase a call and no limit to the capacity this is :func:`ptc.timeline.schedule`.
    Else at most ``capacity`` attempts progress at full speed; more share it evenly. A backoff
    keeps its worker and uses no capacity. One span an attempt, by start, ties in the order given.
    """
    names, lanes = worker_names(workers), {}
    waiting = [_Running(label, list(parts), number) for number, (label, parts) in enumerate(calls)]
    waiting.reverse()
    now, timeline = 0.0, []
    while waiting or lanes:
        for worker in (worker for worker in range(workers) if waiting and worker not in lanes):
            lanes[worker] = waiting.pop().start(now)
        attempts = sum(lane.at_work for lane in lanes.values())
        speed = min(1.0, capacity / max(attempts, 1))
        speeds = {worker: speed if lane.at_work else 1.0 for worker, lane in lanes.items()}
        step = min(lane.left / speeds[worker] for worker, lane in lanes.items())
        now += step
        for worker, lane in list(lanes.items()):
            if not lane.is_over_after(step * speeds[worker]):
                continue
            if lane.at_work:
                ok = lane.parts[0].ok
                span = Span(lane.label, names[worker], lane.since, now, ok)
                timeline.append((lane.since, lane.number, span))
            if not lane.next_part(now):
                del lanes[worker]
    return [span for _, _, span in sorted(timeline)]


class _Running:
    """A call on its worker, within :func:`simulate`."""

    def __init__(self, label: str, parts: list[Phase], number: int) -> None:
        self.label, self.parts, self.number = label, parts, number

    def start(self, now: float) -> "_Running":
        self.left, self.since = self.parts[0].seconds, now
        return self

    @property
    def at_work(self) -> bool:
        return self.parts[0].ok is not None

    def is_over_after(self, seconds: float) -> bool:
        """Whether the part under way is over, once it has got so far."""
        self.left -= seconds
        return self.left <= 1e-9

    def next_part(self, now: float) -> bool:
        del self.parts[0]
        if self.parts:
            self.start(now)
        return bool(self.parts)


@dataclass(frozen=True)
class Outcome:
    """The two ways of running one batch, predicted or measured, and the numbers that follow.

    ``turn`` is the model's latency for one turn.
    """

    settings: Settings
    sequential: list[Span]
    parallel: list[Span]
    turn: float

    @cached_property
    def seconds(self) -> tuple[float, float]:
        """Makespan of the sequential and of the parallel batch."""
        return makespan(self.sequential), makespan(self.parallel)

    @property
    def speedup(self) -> float:
        """How many times faster in parallel, the tools alone; 1 where neither takes any time."""
        return _ratio(*self.seconds)

    @property
    def end_to_end(self) -> tuple[float, float]:
        """Seconds from question to answer: a turn for each call and one for the answer, or two."""
        one_by_one, together = self.seconds
        calls = len(self.settings.calls)
        return one_by_one + (calls + 1) * self.turn, together + 2 * self.turn

    @property
    def end_to_end_speedup(self) -> float:
        """How many times faster with the model's own turns counted in."""
        return _ratio(*self.end_to_end)

    @property
    def at_once(self) -> int:
        """The most calls that ran at once in parallel."""
        return most_at_once(self.parallel)

    @property
    def utilisation(self) -> float:
        """The share of the workers' time that attempts filled."""
        return utilisation(self.parallel, self.settings.workers)


def _ratio(slow: float, fast: float) -> float:
    return slow / fast if fast > 0 else 1.0


@dataclass(frozen=True)
class Prediction(Outcome):
    """What the model of the lab expects, and the bound that no order of starts can beat."""

    bound: float = 0.0
    longest: float = 0.0

    @property
    def binds(self) -> str:
        """Which of the two bounds holds the batch back, and what would help."""
        settings, (_, together) = self.settings, self.seconds
        if not together:
            return "Nothing takes any time, so there is nothing to gain."
        if together > self.bound * 1.001:
            return f"Neither bound is reached, by {together - self.bound:.2f} s: {self._why}."
        if self.bound <= self.longest:
            return f"The slowest call binds: {self.longest:.2f} s, however many workers there are."
        able = capacity(settings.kind)
        if able < settings.workers:
            calls = "1 call computes" if able == 1 else f"{able:g} calls compute"
            return f"The work binds: only {calls} at a time, however many workers there are."
        each = f"{settings.workers} worker{'s' * (settings.workers > 1)}"
        return f"The work binds: the total, divided by {each}, is {self.bound:.2f} s."

    @property
    def _why(self) -> str:
        better = predict(replace(self.settings, order=ORDERS[1])).seconds[1]
        if better < self.seconds[1] * 0.999:
            return f"a long call starts late; longest first, it would be {better:.2f} s"
        return "the calls don't divide evenly, and workers idle while the last ones end"


@lru_cache(maxsize=256)
def predict(settings: Settings) -> Prediction:
    """What to expect of these settings: nothing runs."""
    calls = [(tool, phases(settings, tool, city)) for tool, city in settings.calls]
    lengths = [sum(part.seconds for part in parts) for _, parts in calls]
    started = list(calls)
    if settings.order == ORDERS[1]:
        started.sort(key=lambda call: settings.seconds(call[0]), reverse=True)
    able = capacity(settings.kind)
    timeline = simulate(started, settings.workers, able)
    work = total_work(timeline) if settings.kind == WAITS else sum(map(_compute, calls))
    bound = lower_bound(lengths, settings.workers)
    if able < settings.workers:
        bound = max(bound, work / able)
    return Prediction(
        settings, simulate(calls, 1), timeline, settings.model, bound, max(lengths, default=0.0)
    )


def _compute(call: tuple[str, Sequence[Phase]]) -> float:
    return sum(part.seconds for part in call[1] if part.ok is not None)


SCENARIOS: dict[str, Settings] = {
    "three equal tools": Settings(),
    "one slow tool": Settings(time=0.1, date=0.1, weather=0.8),
    "more calls than workers": Settings(cities=4, workers=3),
    "one worker": Settings(workers=1),
    "tools that compute": Settings(kind=HOLDS, cities=2, model=0.2),
    "a flaky tool": Settings(cities=3, failures=0.3),
    "tiny tools": Settings(time=0, date=0, weather=0, cities=6, workers=16, model=0),
}

# ================================================================ the real run


_PAUSE = 0.05  # seconds for the page to show the news before something is measured
_TALK = 0.15  # seconds between two pieces of progress, lest they disturb the measured calls


class Stopped(Exception):
    """The reader pressed Stop."""


class Stop(threading.Event):
    """Set once a run is to end; wakes its tools, and hangs up on the model."""

    hang_up: Callable[[], object] = staticmethod(lambda: None)

    def set(self) -> None:
        super().set()
        self.hang_up()

    def check(self) -> None:
        """Raise :class:`Stopped` once it is set."""
        if self.is_set():
            raise Stopped("the run was stopped")


@dataclass(frozen=True)
class Run(Outcome):
    """One real run: every bar and number comes from its results' attempts."""

    predicted: Prediction
    answer: str = ""
    guess: float | None = None

    def __str__(self) -> str:
        lines = [
            f"{len(self.settings.calls)} calls on {self.settings.workers} workers",
            _line("one after the other", self.predicted.seconds[0], self.seconds[0], " s"),
            _line("in parallel", self.predicted.seconds[1], self.seconds[1], " s"),
            _line("speedup", self.predicted.speedup, self.speedup, " times"),
            f"most calls at once: {most_at_once(self.sequential)} one after the other, "
            f"{self.at_once} in parallel",
        ]
        return "\n".join(lines)


def _line(name: str, predicted: float, measured: float, unit: str) -> str:
    return f"{name}: predicted {predicted:.2f}{unit}, measured ≈ {measured:.2f}{unit}"


def new_run(
    settings: Settings,
    sequential: Sequence[ToolResult],
    parallel: Sequence[ToolResult],
    turn: float = 0.0,
    answer: str = "",
) -> Run:
    """A run from the results of its two batches."""
    return Run(settings, spans(sequential), spans(parallel), turn, predict(settings), answer=answer)


def lab_registry(settings: Settings, stop: Stop) -> ToolRegistry:
    """The city tools, each of which takes the time that the settings say, unless ``stop`` is set.

    Fresh for each batch: it counts the attempts of each call.
    """
    registry, tools = ToolRegistry(), CityTools()
    tools.registry()  # starts what the first weather call would have to wait for
    for name in FIXED_STYLES:
        expected = settings.seconds(name) if settings.order == ORDERS[1] else None
        tool = _tool(getattr(tools, name), name, settings, stop)
        registry.register(tool, expected_seconds=expected)
    return registry


def _tool(tool: Callable[..., Any], name: str, settings: Settings, stop: Stop) -> Any:
    made: dict[str, int] = {}  # attempts of each city's call; no two of one call run at once
    spend = _SPEND[settings.kind]

    @wraps(tool)
    def run(city: str) -> Any:
        made[city] = made.get(city, 0) + 1
        stop.check()
        spend(settings.seconds(name), stop)
        stop.check()
        if made[city] <= settings.failed_attempts(name, city):
            raise ConnectionError(f"attempt {made[city]} failed, as drawn")
        return tool(city)

    return run


def _wait(seconds: float, stop: Stop) -> None:
    stop.wait(seconds)


def _spin(seconds: float, stop: Stop) -> None:
    """So many seconds of this thread's own processor time, in Python code."""
    until = thread_time() + seconds
    while thread_time() < until and not stop.is_set():
        sum(range(1000))


def _hash(seconds: float, stop: Stop) -> None:
    """So many seconds of this thread's own processor time, in C code that lets others run."""
    until, data = thread_time() + seconds, bytes(200_000)
    while thread_time() < until and not stop.is_set():
        sha256(data)


_SPEND: dict[str, Callable[[float, Stop], None]] = {
    WAITS: _wait,
    HOLDS: _spin,
    RELEASES: _hash,
}


def run_for_real(settings: Settings, stop: Stop, tell: Callable[[str, int], object]) -> Run:
    """Ask the scripted model, run its calls both ways, and let it answer.

    ``tell`` hears what is under way, and how many calls of the two batches are done. Raises
    :class:`Stopped` soon after ``stop`` is set.
    """
    with ScriptedProvider(latency=settings.model) as provider:
        stop.hang_up = provider.close
        try:
            return _run(settings, provider, stop, tell)
        except Exception:
            stop.check()  # whatever went wrong after that is its consequence
            raise


def _run(settings: Settings, provider: ScriptedProvider, stop: Stop, tell: Any) -> Run:
    messages: list[Any] = [{"role": "user", "content": settings.question}]
    options: dict[str, Any] = {"retry": settings.retry}
    tell("asking the model", 0)
    reply, turn = _ask(provider, messages, lab_registry(settings, stop), stop)
    calls = extract_parallel_calls(reply)
    registry = lab_registry(settings, stop)
    options["on_result"] = _counter("one after the other", 0, stop, tell)
    one_by_one = execute_sequential(calls, registry, **options)
    registry = lab_registry(settings, stop)
    options["on_result"] = _counter("in parallel", len(calls), stop, tell)
    together = execute_parallel(calls, registry, settings.workers, **options)
    tell("the model answers", 2 * len(calls))
    messages += [assistant_message(reply, calls), *format_parallel_results(together)]
    final, _ = _ask(provider, messages, registry, stop)
    return new_run(settings, one_by_one, together, turn, final.choices[0].message.content)


def _counter(way: str, done: int, stop: Stop, tell: Callable[[str, int], object]) -> Any:
    numbers, said = count(done + 1), perf_counter()

    def on_result(_: ToolResult) -> None:
        nonlocal said
        stop.check()
        number, now = next(numbers), perf_counter()
        if now - said >= _TALK:
            said = now
            tell(way, number)

    tell(way, done)
    stop.wait(_PAUSE)
    return on_result


def _ask(
    provider: ScriptedProvider, messages: list[Any], registry: ToolRegistry, stop: Stop
) -> tuple[Any, float]:
    """The model's reply, and how many seconds it took."""
    import openai

    stop.check()
    client = openai.OpenAI(base_url=provider.base_url, api_key="none", max_retries=0)
    began = perf_counter()
    with client:
        reply = client.chat.completions.create(
            model=MODEL, messages=messages, tools=registry.to_wire()
        )
    return reply, perf_counter() - began


# ================================================================ the picture

_WIDTH, _HEIGHT = 920, 436  # of the picture, in its own pixels
_LEFT, _RIGHT = 84, 900  # of the bars
_ONE, _MANY, _AXIS = (36, 78), (130, 372), 388  # from top to bottom: one lane, the lanes, the axis
_INK, _QUIET, _GRID, _LANE = "#1F1F1F", "#595959", "#DADADA", "#F4F4F4"
_MOST_BACKGROUNDS = 16  # of one to two megabytes each
_LEGEND = (598, 707, 816)  # where its names begin
_LINE, _ABOVE = 18, 14  # height of a line of text, and of its part above the baseline
_PALE = 0.3  # how much of its colour a predicted bar keeps beside a measured one
_STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


def axis_end(seconds: float) -> float:
    """Where the time axis ends: a round number, so that a small change moves the bars alone."""
    for step in _STEPS:
        if seconds <= 8 * step:
            return step * max(1, math.ceil(seconds / step - 1e-9))
    return 10 * math.ceil(seconds / 10)


def _x(seconds: float, end: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * seconds / end


def _lanes(workers: int) -> list[tuple[float, float]]:
    """Top and bottom of each worker's lane in the lower part."""
    height = (_MANY[1] - _MANY[0]) / workers
    gap = max(height * 0.14, (height - 46) / 2)
    tops = [_MANY[0] + height * lane for lane in range(workers)]
    return [(top + gap, top + height - gap) for top in tops]


def _ticks(end: float) -> list[str]:
    """What stands at the lines of the time axis."""
    step = next((step for step in _STEPS if end <= 8 * step + 1e-9), 20)
    digits = 2 if step < 0.1 else 1 if step < 1 else 0
    return [f"{step * number:.{digits}f}" for number in range(round(end / step) + 1)]


def _words(workers: int, ticks: Sequence[str], end: float) -> list[tuple[Any, ...]]:
    """All words of the background: x, y, the part that stands left of x, text, size, colour."""
    lanes = zip(["one worker", *worker_names(workers)], [_ONE, *_lanes(workers)], strict=True)
    foot = _HEIGHT - 8
    return [
        *((_LEFT - 8, (top + low) / 2 + 4.5, 1, name, 9, _INK) for name, (top, low) in lanes),
        *((_x(float(tick), end), _AXIS + 14, 0.5, tick, 10, _QUIET) for tick in ticks),
        (_LEFT, foot, 0, "seconds since the batch began", 9.5, _QUIET),
        *((x, foot, 0, name, 9.5, _INK) for name, x in zip(FIXED_STYLES, _LEGEND, strict=True)),
    ]


@lru_cache
def _rgba(color: str) -> tuple[int, ...]:
    return (*bytes.fromhex(color[1:]), 255)


@lru_cache
def _pale(color: str) -> str:
    from matplotlib.colors import to_hex, to_rgb

    return to_hex([_PALE * part + 1 - _PALE for part in to_rgb(color)])


class Box(NamedTuple):
    """A bar of the picture, in pixels from its top left corner."""

    left: float
    right: float
    top: float
    bottom: float
    label: str
    ok: bool
    pale: bool


def boxes(predicted: Prediction, run: Run | None, end: float, hide: bool = False) -> list[Box]:
    """All bars: the predicted ones, or the upper half of a lane for them and the lower for a run.

    ``hide`` leaves the parallel prediction out.
    """
    workers = predicted.settings.workers
    lanes = dict(zip(worker_names(workers), _lanes(workers), strict=True))
    found = []
    for outcome, part in ((predicted, (0, 0.44 if run else 1)), (run, (0.44, 1))):
        if outcome is None:
            continue
        for timeline, lane_of in (
            (outcome.sequential, dict.fromkeys([*lanes, "worker-1"], _ONE)),
            ([] if hide and outcome is predicted else outcome.parallel, lanes),
        ):
            for span in timeline:
                top, bottom = lane_of[span.worker]
                low, high = (top + (bottom - top) * share for share in part)
                sides = _x(span.start, end), max(_x(span.end, end), _x(span.start, end) + 1)
                pale = run is not None and outcome is predicted
                found.append(Box(*sides, low, high, span.label, span.ok, pale))
    return found


def headlines(predicted: Prediction, run: Run | None, hide: bool = False) -> tuple[str, str]:
    """What the two parts of the picture say."""
    workers = f"{predicted.settings.workers} worker{'s' * (predicted.settings.workers > 1)}"
    if run:
        slow, fast = run.seconds
        told = f"{fast:.2f} s measured on {workers}, {_times(run.speedup)}"
        return f"One after the other: {slow:.2f} s measured", f"In parallel: {told}"
    slow, fast = predicted.seconds
    told = f"{fast:.2f} s on {workers}, {_times(predicted.speedup)}"
    if hide:
        told = f"how long on {workers}? Guess, then run it for real"
    return f"One after the other: {slow:.2f} s", f"In parallel: {told}"


def _times(speedup: float) -> str:
    if 0.995 <= speedup < 1.005:
        return "no faster"
    return f"{speedup:.2f} times as fast"


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
        self.figure = Figure((_WIDTH / 100, _HEIGHT / 100), dpi=100 * scale)
        self.renderer = FigureCanvasAgg(self.figure).get_renderer()
        self.pixels = numpy.asarray(self.renderer.buffer_rgba())  # shared: what it draws is here
        self.place = Affine2D().scale(scale, -scale).translate(0, _HEIGHT * scale)
        self._kept: dict[Any, Any] = {}

    def draw(self, predicted: Prediction, run: Run | None = None, hide: bool = False) -> bytes:
        """The picture of a prediction, and of a run of the same settings if there was one.

        ``hide`` leaves the parallel prediction to the reader's own guess.
        """
        end = axis_end(max(predicted.seconds[0], run.seconds[0] if run else 0, 0.01))
        bars = boxes(predicted, run, end, hide)
        names = [self._keep(self._name, *name) for name in map(self._name_of, bars) if name]
        sheets = [self._keep(self._sheet, box.label, box.ok, box.pale) for box in bars]
        lines = [self._line(text, 11.5, _INK, "bold") for text in headlines(predicted, run, hide)]
        label = self._line(f"lower bound {predicted.bound:.2f} s", 9, _INK)
        note, _ = self._line("(pale: predicted, full: measured)" if run else "", 9.5, _QUIET)
        self.pixels[:] = self._keep(self._background, predicted.settings.workers, end)
        for box, sheet in zip(bars, sheets, strict=True):
            self._paste_bar(box, sheet)
        named = (box for box in bars if self._name_of(box))
        for box, name in zip(named, names, strict=True):
            self._paste_name(box, name)
        for (tiles, _), y in zip(lines, (_ONE[0], _MANY[0]), strict=True):
            self._paste_line(tiles, _LEFT, y - 9)
        self._paste_line(note, _LEFT + 208, _HEIGHT - 8)
        if not hide:
            self._mark_bound(_x(predicted.bound, end), *label)
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
        lanes, ticks = [_ONE, *_lanes(workers)], _ticks(end)
        words = _words(workers, ticks, end)
        lines = [self._line(*style) for _, _, _, *style in words]
        swatches = [self._keep(self._sheet, name, True, False) for name in FIXED_STYLES]
        self.pixels[:] = 255
        for top, bottom in lanes:
            self._paint(_LEFT, _RIGHT, top, bottom, _LANE)
        for tick in ticks:
            x = _x(float(tick), end)
            self._paint(x - 0.5, x + 0.5, _ONE[0] - 3, _AXIS, _GRID)
        for (x, y, side, *_), (tiles, width) in zip(words, lines, strict=True):
            self._paste_line(tiles, x - side * width, y)
        for name, sheet, x in zip(FIXED_STYLES, swatches, _LEGEND, strict=True):
            box = Box(x - 30, x - 6, _HEIGHT - 19, _HEIGHT - 6, name, True, False)
            self._paste_bar(box, sheet)
        return self.pixels.copy()

    def _paint(self, left: float, right: float, top: float, bottom: float, color: str) -> None:
        left, right, top, bottom = (round(edge * self.scale) for edge in (left, right, top, bottom))
        self.pixels[top:bottom, left:right] = _rgba(color)

    def _sheet(self, *kind: Any) -> Any:
        """A whole picture full of one kind of bar, to cut bars from."""
        self._fill((-9, _WIDTH + 9, -9, _HEIGHT + 9), *_looks(*kind))
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
        for y in range(_MANY[0] - 4, _AXIS - 6, 9):
            self.pixels[y * s : (y + 6) * s, middle - s : middle + s] = _rgba(_INK)
        self._paste_line(tiles, x - 5 - width if x > _RIGHT - 140 else x + 5, _AXIS - 4)

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
        self._fill((0, _WIDTH, 0, 40), "white")
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

        options = {"color": _INK, "size": 10, "va": "baseline"} | style
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


def chart(settings: Settings, history: Sequence[Run]) -> bytes:
    """Speedup against workers: the prediction as a line, each real run as a point."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    workers = range(1, MOST_WORKERS + 1)
    curve = [predict(replace(settings, workers=number)).speedup for number in workers]
    figure = Figure((_WIDTH / 100, 2.7), dpi=100)
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_axes((0.085, 0.2, 0.895, 0.66))
    ax.step(workers, curve, where="mid", color=_QUIET, linewidth=1.6, label="predicted")
    same = [run for run in history if replace(run.settings, workers=settings.workers) == settings]
    others = [run for run in history if run not in same]
    kinds = ((others, "white", "measured, other settings"), (same, "#0072B2", "measured"))
    for runs, face, label in (kind for kind in kinds if kind[0]):
        at = [run.settings.workers for run in runs], [run.speedup for run in runs]
        ax.scatter(*at, s=52, facecolor=face, edgecolor="#0072B2", zorder=3, label=label)
    ax.set_title(_chart_title(curve), loc="left", fontsize=11.5, fontweight="bold", color=_INK)
    ax.set_xlabel("workers", loc="left", color=_QUIET)
    ax.set_ylabel("times as fast", color=_QUIET)
    ax.set(xlim=(0.5, MOST_WORKERS + 0.5), xticks=workers)
    ax.set_ylim(0, 1.15 * max([*curve, *(run.speedup for run in history), 1]))
    ax.grid(axis="y", color=_GRID)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="lower right", ncols=3, frameon=False)
    canvas.draw()
    return png(numpy.asarray(canvas.buffer_rgba()))


def _chart_title(curve: Sequence[float]) -> str:
    enough = next(n for n, speedup in enumerate(curve, 1) if speedup >= max(curve) * 0.999)
    if enough == 1:
        return "More workers gain nothing with these settings"
    return f"{enough} workers are enough: {max(curve):.2f} times as fast, and no more beyond"


# ================================================================ the challenges


class Challenge(NamedTuple):
    """A question, and how a real run answers it."""

    question: str
    solved_by: Callable[[Run], bool]


def _enough(run: Run) -> bool:
    """Nine equal calls, and not a worker too many or too few."""
    here = run.settings
    speedups = [predict(replace(here, workers=n)).speedup for n in range(1, MOST_WORKERS + 1)]
    equal = here.time == here.date == here.weather >= 0.1
    enough = 1 + next(n for n, gain in enumerate(speedups) if gain >= max(speedups) * 0.999)
    return here.cities == 3 and equal and here.kind == WAITS and here.workers == enough


def _least(run: Run) -> bool:
    fewer = replace(run.settings, workers=max(1, run.settings.workers - 1))
    return run.settings.cities == 3 and run.speedup >= 2.5 > predict(fewer).speedup


CHALLENGES = (
    Challenge(
        "Three cities, three equal tools of 0.1 s or more: run the smallest number of workers "
        "beyond which nothing is gained.",
        _enough,
    ),
    Challenge(
        "With two workers or more, find settings where running in parallel gains less than 10 %.",
        lambda run: run.settings.workers > 1 and run.speedup < 1.1,
    ),
    Challenge(
        "Find settings where running in parallel loses: where it takes at least 10 % longer.",
        lambda run: run.settings.workers > 1 and run.speedup < 1 / 1.1,
    ),
    Challenge(
        "Three cities: reach a measured speedup of 2.5 with as few workers as you can.", _least
    ),
)
CONCLUSION = (
    "Calls that wait gain until a bound binds: no batch is shorter than its slowest call, nor than "
    "its total work divided by the workers. So give a batch as many workers as bring the second "
    "bound down to the first; calls that compute gain only from cores and a released GIL."
)

# ================================================================ the widgets

_STYLE = """
.ptc-lab { max-width: 960px; gap: 10px; padding: 4px 2px; overflow: visible;
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
body[data-jp-theme-light="false"] .ptc-lab .ptc-picture {
  filter: invert(0.93) hue-rotate(180deg); border-color: transparent; }
"""
# The widgets leave slider handles and pictures without a name for screen readers.
_NAMES = """(lab => { const name = () => {
  lab.querySelectorAll('.widget-slider').forEach(slider => {
    const words = slider.querySelector('label')?.textContent;
    slider.querySelector('.noUi-handle')?.setAttribute('aria-label', words);
    const readout = slider.querySelector('.widget-readout');
    readout?.setAttribute('role', 'textbox');
    readout?.setAttribute('aria-label', words + ', as a number'); });
  lab.querySelectorAll('img.ptc-picture').forEach(picture => {
    picture.alt = lab.querySelector(picture.matches('.ptc-chart') ? '.ptc-say-chart'
      : '.ptc-say-picture')?.textContent || 'being drawn'; });
  lab.querySelector('.ptc-status .widget-html-content')?.setAttribute('aria-live', 'polite');
  }; name();
  let soon;
  new MutationObserver(() => { clearTimeout(soon); soon = setTimeout(name, 150); })
    .observe(lab, {childList: true, subtree: true});
})(this.closest('.ptc-lab'))"""

_WORDS = {
    "workers": "workers",
    "time": "get_time takes (s)",
    "date": "get_date takes (s)",
    "weather": "get_weather takes (s)",
    "cities": "cities asked for",
    "model": "a model's turn (s)",
    "failures": "attempts that fail",
    "attempts": "attempts at most",
    "order": "start order",
    "kind": "a tool",
}
_OWN = "your own settings"
_REST = 0.4  # seconds without a change, after which the chart follows


class LatencyLab(widgets.VBox):
    """The lab: an expression that a notebook shows. Starts from keyword :class:`Settings`.

    All that a reader does by hand, code can do: :meth:`set`, :meth:`run`, :meth:`stop`;
    ``settings``, ``predicted``, ``measured`` and ``history`` say what came of it.
    """

    def __init__(self, **settings: Any) -> None:
        self._start = Settings(**settings)
        self._picture, self._thread, self._stop = Picture(), None, Stop()
        self._failure = ""
        self._news: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._held = False
        self._chart_due: asyncio.TimerHandle | None = None
        self.history: list[Run] = []
        self.solved: set[int] = set()
        self._make_controls()
        super().__init__(self._sections())
        self.add_class("ptc-lab")
        self._show()
        self._show_rest()

    # ------------------------------------------------ what code can ask and do

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
        return self._thread is not None

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
            while self.running:
                self._hear(self._news.get())
        except KeyboardInterrupt:
            self.stop()
            raise
        if self._failure:
            raise RuntimeError(self._failure)
        return self.history[-1] if len(self.history) > before else None

    def stop(self) -> None:
        """End the run under way: no call starts any more, and those under way are woken."""
        self._stop.set()

    def to_csv(self) -> str:
        """The history as CSV: settings, and predicted and measured numbers, a run a line."""
        names = [field.name for field in fields(Settings)]
        ways = ("sequential_s", "parallel_s", "speedup", "end_to_end_speedup")
        lines = [[*names, *(f"{of}_{way}" for of in ("predicted", "measured") for way in ways)]]
        for run in self.history:
            outcomes = (run.predicted, run)
            numbers = [(*o.seconds, o.speedup, o.end_to_end_speedup) for o in outcomes]
            lines.append(
                [*asdict(run.settings).values(), *(f"{n:.4f}" for o in numbers for n in o)]
            )
        text = io.StringIO()
        csv.writer(text).writerows(lines)
        return text.getvalue()

    # ------------------------------------------------ the controls

    def _make_controls(self) -> None:
        start = self._start
        slide = {"style": {"description_width": "148px"}, "continuous_update": True}
        long = {**slide, "min": 0.0, "max": MOST_SECONDS, "step": 0.05, "readout_format": ".2f"}
        whole = {"workers": MOST_WORKERS, "cities": len(CITIES), "attempts": 5}
        self.controls: dict[str, Any] = {}
        for name in (field.name for field in fields(Settings)):
            options = {"description": _WORDS[name], "value": getattr(start, name)}
            if name in whole:
                control = widgets.IntSlider(min=1, max=whole[name], **options, **slide)
            elif name in ("order", "kind"):
                known = ORDERS if name == "order" else KINDS
                style = {"description_width": "148px"}
                control = widgets.Dropdown(options=known, style=style, **options)
            else:
                control = widgets.FloatSlider(**options, **long)
            control.observe(self._changed, "value")
            self.controls[name] = control
        self.controls["failures"].max = 0.9
        self._make_buttons()

    def _make_buttons(self) -> None:
        wide = {"description_width": "148px"}
        self.scenarios = widgets.Dropdown(
            options=[_OWN, *SCENARIOS], description="scenario", style=wide
        )
        self.scenarios.observe(self._choose, "value")
        self.run_button = widgets.Button(description="Run it for real", icon="play")
        self.run_button.add_class("ptc-go")
        self.run_button.on_click(lambda _: self.running or self._begin())
        self.stop_button = widgets.Button(description="Stop", icon="stop", disabled=True)
        self.stop_button.layout.width = "90px"
        self.stop_button.on_click(lambda _: self.stop())
        self.guess = widgets.Text(
            description="guess the speedup",
            placeholder="2.5",
            style={"description_width": "initial"},
            layout={"width": "220px"},
        )
        self.hide = widgets.Checkbox(description="hide the prediction until I run", indent=False)
        self.hide.observe(self._changed, "value")
        self.clear_button = widgets.Button(description="Clear the history")
        self.clear_button.on_click(lambda _: self._forget())
        self.conclusion = widgets.Textarea(
            placeholder="When does running in parallel pay, and how many workers are enough?",
            description="your conclusion",
            style={"description_width": "initial"},
            layout={"width": "100%", "max_width": "920px"},
        )
        self.compare_button = widgets.Button(description="Compare")
        self.compare_button.on_click(lambda _: self._compare())

    def _sections(self) -> list[widgets.Widget]:
        self.image, self.chart = (widgets.Image(format="png") for _ in range(2))
        self.numbers, self.status, self.words, self.links, self.tasks, self.model_answer = (
            widgets.HTML() for _ in range(6)
        )
        for image in (self.image, self.chart):
            image.add_class("ptc-picture")
        self.chart.add_class("ptc-chart")
        self.status.add_class("ptc-status")
        names = ("workers", "cities", "time", "date", "weather", "model")
        more = ("order", "kind", "failures", "attempts")
        left = widgets.VBox([self.scenarios, *(self.controls[name] for name in names)])
        style = widgets.HTML(f'<style onload="{html.escape(_NAMES)}">{_STYLE}</style>')
        return [
            style,
            _box("ptc-top", left, self.numbers),
            _box("ptc-row", self.run_button, self.stop_button, self.guess, self.hide),
            self.status,
            self.image,
            self.words,
            widgets.HTML("<h3>More to vary</h3>"),
            _box("ptc-top", *(self.controls[name] for name in more)),
            widgets.HTML("<h3>History of your runs</h3>"),
            self.chart,
            _box("ptc-row", self.clear_button, self.links),
            widgets.HTML("<h3>Challenges</h3>"),
            self.tasks,
            self.conclusion,
            _box("ptc-row", self.compare_button, self.model_answer),
        ]

    def _choose(self, change: Any) -> None:
        if change.new != _OWN and SCENARIOS[change.new] != self.settings:
            self.scenario(change.new)

    def _changed(self, _: Any = None) -> None:
        if self._held:
            return
        self._show()
        known = {settings: name for name, settings in SCENARIOS.items()}
        self.scenarios.value = known.get(self.settings, _OWN)
        self._show_rest_soon()

    # ------------------------------------------------ a real run, in its thread

    def _begin(self) -> None:
        """Start the thread. It hands news over, and this thread alone shows them."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None  # then somebody has to wait()
        self._stop, self._failure = Stop(), ""
        work = threading.Thread(
            target=self._work, args=(self.settings, self._guessed(), self._stop), daemon=True
        )
        self._thread = work
        self.run_button.disabled, self.stop_button.disabled = True, False
        self._say("starting", 0)
        work.start()

    def _work(self, settings: Settings, guess: float | None, stop: Stop) -> None:
        try:
            run = run_for_real(settings, stop, lambda *news: self._tell("doing", *news))
            self._tell("done", replace(run, guess=guess))
        except Stopped:
            self._tell("stopped")
        except BaseException as error:
            self._tell("failed", explain(error))

    def _tell(self, *news: Any) -> None:
        self._news.put(news)
        if self._loop is not None:
            with suppress(RuntimeError):  # the kernel is going down
                self._loop.call_soon_threadsafe(self._hear_all)

    def _hear_all(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._hear(self._news.get_nowait())

    def _hear(self, news: tuple[Any, ...]) -> None:
        kind, *about = news
        if kind == "doing":
            return self._say(*about)
        self._thread = None
        self.run_button.disabled, self.stop_button.disabled = False, True
        if kind == "done":
            return self._add(about[0])
        self._failure = about[0] if kind == "failed" else ""
        told = f"The run failed: {self._failure}" if self._failure else "Stopped."
        self.status.value = f"<p>{html.escape(told)}</p>"

    def _add(self, run: Run) -> None:
        self.history.append(run)
        for number, challenge in enumerate(CHALLENGES):
            if challenge.solved_by(run):
                self.solved.add(number)
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

    def _guessed(self) -> float | None:
        with suppress(ValueError):
            return float(self.guess.value.replace(",", ".")) or None
        return None

    def _say(self, doing: str, done: int) -> None:
        of = 2 * len(self.settings.calls)
        self.status.value = (
            f'<p><progress max="{of}" value="{done}" aria-label="calls done"></progress> '
            f"{doing}: {done} of {of} calls done</p>"
        )

    # ------------------------------------------------ what is shown

    @property
    def _hidden(self) -> bool:
        return self.hide.value and self.measured is None

    def _show(self) -> None:
        predicted, run = self.predicted, self.measured
        self.image.value = self._picture.draw(predicted, run, self._hidden)
        self.numbers.value = table(predicted, run, self._hidden)

    def _show_words(self) -> None:
        predicted, run = self.predicted, self.measured
        words = describe(predicted, run, self._hidden)
        self.words.value = (
            "<details><summary>The picture in words</summary>"
            f'<p class="ptc-say-picture">{html.escape(words)}</p></details>'
        )

    def _show_rest(self) -> None:
        self._show_words()
        self._show_history()

    def _show_rest_soon(self) -> None:
        """Once the sliders rest: the picture goes first."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._show_rest()
        if self._chart_due is not None:
            self._chart_due.cancel()
        self._chart_due = loop.call_later(_REST, self._show_rest)

    def _show_history(self) -> None:
        self.chart.value = chart(self.settings, self.history)
        data = base64.b64encode(self.to_csv().encode()).decode()
        runs = f"{len(self.history)} run{'s' * (len(self.history) != 1)}"
        link = f'<a download="runs.csv" href="data:text/csv;base64,{data}">save as CSV</a>'
        said = "; ".join(
            f"{run.settings.workers} workers: {run.speedup:.2f} times as fast"
            for run in self.history
        )
        self.links.value = (
            f"<span>{runs}, {link}.</span><details><summary>The chart in words</summary>"
            '<p class="ptc-say-chart">Speedup against workers. '
            f"{said or 'No run yet'}.</p></details>"
        )
        tasks = [
            f"<li>{'✓ Solved:' if number in self.solved else '○ Open:'} {task.question}</li>"
            for number, task in enumerate(CHALLENGES)
        ]
        self.tasks.value = f"<ul>{''.join(tasks)}</ul>"

    def _compare(self) -> None:
        told = "Write yours first."
        if self.conclusion.value.strip():
            told = f"<b>One way to say it:</b> {CONCLUSION}"
        self.model_answer.value = f"<p>{told}</p>"

    def summary(self) -> str:
        """The lab in text: settings and prediction in numbers, and the last run of them."""
        settings, predicted, run = self.settings, self.predicted, self.measured
        asked = ", ".join(f"{tool} {settings.seconds(tool):.2f} s" for tool in FIXED_STYLES)
        slow, fast = predicted.seconds
        lines = [
            f"LatencyLab: {len(settings.calls)} calls on {settings.workers} workers; {asked}",
            f"predicted: {slow:.2f} s one after the other, {fast:.2f} s in parallel, "
            f"{predicted.speedup:.2f} times as fast",
            f"lower bound {predicted.bound:.2f} s. {predicted.binds}",
            f"with the model's turns of {settings.model:.2f} s: "
            f"{predicted.end_to_end_speedup:.2f} times as fast",
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
        about = {"alt": alt, "width": _WIDTH, "height": _HEIGHT}
        return {**data, "text/plain": self.summary(), "image/png": small_png(still)}, {
            "image/png": about
        }


def _box(name: str, *children: widgets.Widget) -> widgets.Box:
    box = widgets.Box(children)
    box.add_class(name)
    return box


def describe(predicted: Prediction, run: Run | None = None, hide: bool = False) -> str:
    """The picture in words."""
    one, many = headlines(predicted, run, hide)
    if hide:
        return f"{one}. {many}."
    bars = describe_timeline((run or predicted).parallel)
    return f"{one}. {many}. Lower bound {predicted.bound:.2f} s. In parallel: {bars}"


def table(predicted: Prediction, run: Run | None = None, hide: bool = False) -> str:
    """The numbers as an HTML table: predicted, measured, and how far they lie apart."""
    rows = []
    for name, number, form, is_guess in _NUMBERS:
        cells = ["?" if hide and is_guess else form.format(number(predicted)), "–", "–"]
        if run and name != "lower bound":
            cells[1:] = form.format(number(run)), _apart(number(predicted), number(run))
        main = ' class="ptc-main"' if name == "speedup" else ""
        cells = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f'<tr{main}><th scope="row">{name}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    calls, workers = len(predicted.settings.calls), predicted.settings.workers
    caption = f"{calls} calls on {workers} worker{'s' * (workers > 1)}"
    told = "" if hide else f"<p>{predicted.binds}</p>"
    return (
        f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{told}"
    )


def _apart(predicted: float, measured: float) -> str:
    return f"{100 * (measured / predicted - 1):+.1f} %" if predicted else "–"


_COLUMNS = ("of the batch", "predicted", "measured", "difference")
_NUMBERS: tuple[tuple[str, Callable[[Any], float], str, bool], ...] = (
    ("one after the other", lambda outcome: outcome.seconds[0], "{:.2f} s", False),
    ("in parallel", lambda outcome: outcome.seconds[1], "{:.2f} s", True),
    ("lower bound", lambda outcome: outcome.bound, "{:.2f} s", True),
    ("speedup", lambda outcome: outcome.speedup, "{:.2f} ×", True),
    ("speedup with model", lambda outcome: outcome.end_to_end_speedup, "{:.2f} ×", True),
    ("utilisation", lambda outcome: 100 * outcome.utilisation, "{:.0f} %", True),
    ("most calls at once", lambda outcome: outcome.at_once, "{:.0f}", True),
)
