"""What to expect of settings, without running anything: both timelines and what follows."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from ..timeline import Span, longest_chain
from ..timeline.spans import count_of
from .outcome import CallBars, Outcome
from .overhead import NO_OVERHEADS, Overhead, Overheads, measured_overheads
from .settings import BACKOFF, HOLDS, MEETINGS, ORDERS, Settings, capacity
from .simulation import Phase, Planned, simulate

__all__ = ["Bounds", "Prediction", "phases", "predict"]


class Bounds(NamedTuple):
    """Three makespans that no order of starts can beat; the largest binds."""

    slowest: float = 0.0
    chain: float = 0.0
    work: float = 0.0


_NO_BOUNDS = Bounds()


@dataclass(frozen=True)
class Prediction(Outcome):
    """What the model of the lab expects, and the bounds that no order of starts can beat."""

    overheads: Overheads = NO_OVERHEADS
    bounds: Bounds = _NO_BOUNDS

    @property
    def bound(self) -> float:
        """The largest of the bounds."""
        return max(self.bounds)

    @property
    def ideal(self) -> "Prediction":
        """The same without any overhead: what follows from the settings alone."""
        return predict(self.settings, NO_OVERHEADS)

    @property
    def binds(self) -> str:
        """Which of the bounds holds the batch back, and what would help."""
        bounds, together = self.bounds, self.ideal.seconds[1]
        if not together:
            return self._tiny
        if together > self.bound * 1.001:
            return f"No bound is reached, by {together - self.bound:.2f} s: {self._why}."
        if self.bound <= bounds.slowest:
            return f"The slowest call binds: {bounds.slowest:.2f} s, {_NO_MATTER}."
        if self.bound <= bounds.chain:
            return (
                f"The longest chain binds: {bounds.chain:.2f} s for the calls of one city, one "
                f"after the other, {_NO_MATTER}."
            )
        return self._work_binds

    @property
    def _work_binds(self) -> str:
        workers, able = self.settings.workers, capacity(self.settings.kind)
        if able < workers:
            calls = "1 call computes" if able == 1 else f"{able:g} calls compute"
            return f"The work binds: only {calls} at a time, {_NO_MATTER}."
        each = count_of(workers, "worker")
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
        settings, now = self.settings, self.ideal.seconds[1]
        better = predict(replace(settings, order=ORDERS[1]), NO_OVERHEADS).seconds[1]
        if better < now * 0.999:
            return f"a long call starts late; longest first, it would be {better:.2f} s"
        free = predict(replace(settings, meet=MEETINGS[0]), NO_OVERHEADS).seconds[1]
        if free < now * 0.999:
            return "calls wait for others of their city, and workers idle meanwhile"
        return "the calls don't divide evenly, and workers idle while the last ones end"


_NO_MATTER = "however many workers there are"


def phases(settings: Settings, tool: str, city: str, overhead: float = 0.0) -> list[Phase]:
    """The attempts of one call with the backoffs between them.

    >>> phases(Settings(time=0.2), "get_time", "Paris")
    [Phase(seconds=0.2, ok=True, overhead=0.0)]
    """
    failed, seconds = settings.failed_attempts(tool, city), settings.seconds(tool)
    if settings.kind == HOLDS:  # it is work like the tool's own
        seconds, overhead = seconds + overhead, 0.0
    made = [Phase(seconds, False, overhead)] * failed
    if failed < settings.attempts:
        made.append(Phase(seconds, True, overhead))
    parts = [part for attempt in made for part in (attempt, Phase(BACKOFF, None))]
    return parts[:-1]


def predict(settings: Settings, overheads: Overheads | None = None) -> Prediction:
    """What to expect of these settings: nothing runs, but for the overheads' measure at first.

    >>> predict(Settings(workers=3), NO_OVERHEADS).bound
    0.3
    """
    overheads = measured_overheads() if overheads is None else overheads
    return _predict(settings, overheads, capacity(settings.kind))


@lru_cache(maxsize=512)
def _predict(settings: Settings, overheads: Overheads, able: float) -> Prediction:
    turn = settings.model
    one_by_one = simulate(
        _in_a_row(_planned(settings, overheads.sequential)), 1, able, overheads.sequential.batch
    )
    together = _simulate_in_order(settings, overheads.parallel, able)
    return Prediction(
        settings,
        _with_cities(settings, one_by_one),
        _with_cities(settings, together),
        turns=((turn,) * (len(settings.calls) + 1), (turn, turn)),
        overheads=overheads,
        bounds=_bounds(settings, able),
    )


def _planned(settings: Settings, overhead: Overhead) -> list[Planned]:
    return [
        Planned(tool, phases(settings, tool, city, overhead.attempt), waits_for)
        for (tool, city), waits_for in zip(settings.calls, settings.predecessors, strict=True)
    ]


def _in_a_row(calls: list[Planned]) -> list[Planned]:
    return [call._replace(waits_for=frozenset()) for call in calls]


def _simulate_in_order(settings: Settings, overhead: Overhead, able: float) -> list[list[Span]]:
    """The parallel batch: calls are given to the simulation in the order in which they start."""
    calls = _planned(settings, overhead)
    order = _starting_order(settings)
    place = {number: index for index, number in enumerate(order)}
    in_order = [
        calls[number]._replace(waits_for=frozenset(place[n] for n in calls[number].waits_for))
        for number in order
    ]
    found = simulate(in_order, settings.workers, able, overhead.batch)
    return [found[place[number]] for number in range(len(calls))]


def _starting_order(settings: Settings) -> list[int]:
    """As asked, or first the call with the longest chain behind it, itself counted in."""
    calls, predecessors = settings.calls, settings.predecessors
    numbers = range(len(calls))
    if settings.order == ORDERS[0]:
        return list(numbers)
    behind = [settings.seconds(tool) for tool, _ in calls]
    for number in reversed(numbers):
        for other in predecessors[number]:
            behind[other] += behind[number]  # at most one follows, and it comes later
    return sorted(numbers, key=lambda number: -behind[number])


def _bounds(settings: Settings, able: float) -> Bounds:
    plans = _planned(settings, Overhead(0, 0))
    lengths = [sum(part.seconds for part in call.parts) for call in plans]
    work = math.fsum(lengths) / settings.workers
    if able < settings.workers:
        work = max(work, sum(map(_compute, plans)) / able)
    return Bounds(max(lengths), longest_chain(lengths, settings.predecessors), work)


def _compute(call: Planned) -> float:
    return sum(part.seconds for part in call.parts if part.ok is not None)


def _with_cities(settings: Settings, timeline: list[list[Span]]) -> list[CallBars]:
    return [
        CallBars(tool, city, bars)
        for (tool, city), bars in zip(settings.calls, timeline, strict=True)
    ]
