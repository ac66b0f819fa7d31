"""The challenges: what real runs are to show."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from .prediction import predict
from .real_run import Run
from .settings import MOST_WORKERS, WAITS

__all__ = ["CHALLENGES", "CONCLUSION", "Challenge"]


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
        "Find settings where running in parallel loses: where it takes at least 5 % longer.",
        lambda run: run.settings.workers > 1 and run.speedup < 1 / 1.05,
    ),
    Challenge(
        "Three cities: reach a measured speedup of 2.5 with as few workers as you can.", _least
    ),
)
CONCLUSION = (
    "Calls that wait gain until a bound binds: no batch is shorter than its slowest call, than the "
    "longest chain of calls that meet, nor than its total work divided by the workers. So give a "
    "batch as many workers as bring the last bound down to the others; calls that compute gain "
    "only from cores and a released GIL."
)
