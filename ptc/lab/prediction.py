"""What to expect of settings, without running anything: both timelines and what follows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

from ..timeline import Span, lower_bound, makespan, most_at_once, utilisation, worker_names
from .overhead import NO_OVERHEADS, Overhead, Overheads, measured_overheads
from .settings import BACKOFF, HOLDS, ORDERS, Settings, capacity


class Phase(NamedTuple):
    """A part of a call: an attempt (``ok`` says how it ends), or a backoff (``ok`` is None).

    ``overhead``: seconds of the processor that it takes before its own begin.
    """

    seconds: float
    ok: bool | None
    overhead: float = 0.0


def phases(settings: Settings, tool: str, city: str, overhead: float = 0.0) -> list[Phase]:
    """The attempts of one call with the backoffs between them."""
    failed, seconds = settings.failed_attempts(tool, city), settings.seconds(tool)
    if settings.kind == HOLDS:  # it is work like the tool's own
        seconds, overhead = seconds + overhead, 0.0
    made = [Phase(seconds, False, overhead)] * failed
    if failed < settings.attempts:
        made.append(Phase(seconds, True, overhead))
    parts = [part for attempt in made for part in (attempt, Phase(BACKOFF, None))]
    return parts[:-1]


def simulate(
    calls: Sequence[tuple[str, Sequence[Phase]]],
    workers: int,
    capacity: float = math.inf,
    began: float = 0.0,
) -> list[Span]:
    """The timeline of calls that start in the order given, each where a worker is free first.

    With one phase a call and no limit to the capacity this is :func:`ptc.timeline.schedule`.
    Else at most ``capacity`` attempts progress at full speed, and one overhead; more share it
    evenly. A backoff keeps its worker and uses no capacity. One span an attempt, by start, ties in
    the order given.
    """
    names, lanes = worker_names(workers), {}
    waiting = [_Running(label, list(parts), number) for number, (label, parts) in enumerate(calls)]
    waiting.reverse()
    now, timeline = began, []
    while waiting or lanes:
        for worker in (worker for worker in range(workers) if waiting and worker not in lanes):
            lanes[worker] = waiting.pop().start(now)
        speeds = _speeds(lanes, capacity)
        step = min(lane.left / speeds[worker] for worker, lane in lanes.items())
        now += step
        for worker, lane in list(lanes.items()):
            if not lane.is_over_after(step * speeds[worker]):
                continue
            if lane.at_work:
                span = Span(lane.label, names[worker], lane.since, now, lane.parts[0].ok)
                timeline.append((lane.since, lane.number, span))
            if not lane.next_part(now):
                del lanes[worker]
    return [span for _, _, span in sorted(timeline)]


def _speeds(lanes: dict[int, "_Running"], capacity: float) -> dict[int, float]:
    """How fast each worker progresses: 1 where nothing has to be shared."""
    begin = 1 / max(1, sum(lane.begins for lane in lanes.values()))
    work = min(1.0, capacity / max(1, sum(lane.at_work for lane in lanes.values())))
    return {
        worker: begin if lane.begins else work if lane.at_work else 1.0
        for worker, lane in lanes.items()
    }


class _Running:
    """A call on its worker, within :func:`simulate`."""

    def __init__(self, label: str, parts: list[Phase], number: int) -> None:
        self.label, self.parts, self.number = label, parts, number

    def start(self, now: float) -> "_Running":
        part, self.since = self.parts[0], now
        self.begins = part.overhead > 0
        self.left = part.overhead or part.seconds
        return self

    @property
    def at_work(self) -> bool:
        return not self.begins and self.parts[0].ok is not None

    def is_over_after(self, seconds: float) -> bool:
        """Whether the part under way is over, once it has got so far."""
        self.left -= seconds
        if self.begins and self.left <= 1e-9:
            self.begins, self.left = False, self.parts[0].seconds
            return self.left <= 1e-9
        return not self.begins and self.left <= 1e-9

    def next_part(self, now: float) -> bool:
        del self.parts[0]
        if self.parts:
            self.start(now)
        return bool(self.parts)


@dataclass(frozen=True)
class Outcome:
    """The two ways of running one batch, predicted or measured, and the numbers that follow.

    ``turns`` are the model's, in seconds: those with one call each and the one of the answer, and
    the two in which it asks for all calls and answers.
    """

    settings: Settings
    sequential: list[Span]
    parallel: list[Span]
    turns: tuple[Sequence[float], Sequence[float]]

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
        """Seconds from question to answer: with one call a turn, and with all in one turn."""
        one_by_one, together = self.seconds
        many, two = map(sum, self.turns)
        return one_by_one + many, together + two

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

    overheads: Overheads = NO_OVERHEADS
    bound: float = 0.0
    longest: float = 0.0

    @property
    def ideal(self) -> "Prediction":
        """The same without any overhead: what follows from the settings alone."""
        return predict(self.settings, NO_OVERHEADS)

    @property
    def binds(self) -> str:
        """Which of the two bounds holds the batch back, and what would help."""
        settings, together = self.settings, self.ideal.seconds[1]
        if not together:
            return self._tiny
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
    def _tiny(self) -> str:
        if not self.seconds[1]:
            return "Nothing takes any time, so there is nothing to gain."
        each = 1000 * self.seconds[1] / len(self.settings.calls)
        return (
            f"The overhead binds: ≈ {each:.1f} ms a call, of the executor and of the tools' own "
            "code, which holds the GIL. Threads can't share it."
        )

    @property
    def _why(self) -> str:
        now = self.ideal.seconds[1]
        better = predict(replace(self.settings, order=ORDERS[1]), NO_OVERHEADS).seconds[1]
        if better < now * 0.999:
            return f"a long call starts late; longest first, it would be {better:.2f} s"
        return "the calls don't divide evenly, and workers idle while the last ones end"


def predict(settings: Settings, overheads: Overheads | None = None) -> Prediction:
    """What to expect of these settings: nothing runs, but for the overheads' measure at first."""
    return _predict(settings, measured_overheads() if overheads is None else overheads)


@lru_cache(maxsize=512)
def _predict(settings: Settings, overheads: Overheads) -> Prediction:
    plain, one, many = (_calls(settings, each) for each in (Overhead(0, 0), *overheads))
    if settings.order == ORDERS[1]:
        many.sort(key=lambda call: settings.seconds(call[0]), reverse=True)
    able, turn = capacity(settings.kind), settings.model
    lengths = [sum(part.seconds for part in parts) for _, parts in plain]
    bound = lower_bound(lengths, settings.workers)
    if able < settings.workers:
        bound = max(bound, sum(map(_compute, plain)) / able)
    return Prediction(
        settings,
        simulate(one, 1, able, overheads.sequential.batch),
        simulate(many, settings.workers, able, overheads.parallel.batch),
        turns=((turn,) * (len(plain) + 1), (turn, turn)),
        overheads=overheads,
        bound=bound,
        longest=max(lengths, default=0.0),
    )


def _calls(settings: Settings, overhead: Overhead) -> list[tuple[str, list[Phase]]]:
    return [(tool, phases(settings, tool, city, overhead.attempt)) for tool, city in settings.calls]


def _compute(call: tuple[str, Sequence[Phase]]) -> float:
    return sum(part.seconds for part in call[1] if part.ok is not None)
