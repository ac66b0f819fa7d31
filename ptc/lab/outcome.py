"""Two ways of running one batch, and the numbers that follow, whether predicted or measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ..timeline import Span, makespan, most_at_once, utilisation
from .settings import Settings

__all__ = ["CallBars", "Outcome", "Wait"]


class CallBars(NamedTuple):
    """One call of a batch, and its attempts as bars of a timeline."""

    tool: str
    city: str
    bars: list[Span]


class Wait(NamedTuple):
    """One call started only after another of its city had ended: the last bar and the next."""

    city: str
    ended: Span
    started: Span


@dataclass(frozen=True)
class Outcome:
    """The two ways of running one batch, predicted or measured, and the numbers that follow.

    Of each call in request order. ``turns`` are the model's, in seconds: those with one call each
    and the one of the answer, and the two in which it asks for all calls and answers.
    """

    settings: Settings
    one_by_one: list[CallBars]
    together: list[CallBars]
    turns: tuple[Sequence[float], Sequence[float]]

    @cached_property
    def sequential(self) -> list[Span]:
        """The bars of the batch, one call after the other."""
        return [bar for call in self.one_by_one for bar in call.bars]

    @cached_property
    def parallel(self) -> list[Span]:
        """The bars of the batch in parallel."""
        return [bar for call in self.together for bar in call.bars]

    @property
    def waits(self) -> list[Wait]:
        """Which calls of the parallel batch waited for which, where calls of a city meet."""
        return [
            Wait(call.city, self.together[other].bars[-1], call.bars[0])
            for call, others in zip(self.together, self.settings.predecessors, strict=False)
            for other in others
            if call.bars and self.together[other].bars
        ]

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
