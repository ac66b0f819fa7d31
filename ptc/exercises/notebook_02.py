"""The exercises of notebook 02."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from statistics import mean, median, median_high, median_low
from typing import Any

from ..calls import ToolCall
from ..execute import execute_sequential
from ..registry import ToolRegistry
from ..text import explain, shorten
from .judging import Exercise, NotAttempted, Wrong, call, close, is_number, shown, why_not

_BEGIN = 1000.0  # what the clock shows first


class _Clock:
    """A clock that stands still, but while ``work`` runs; it counts its readings and the runs."""

    def __init__(self, seconds: Sequence[float]) -> None:
        self.seconds = seconds
        self.now = _BEGIN
        self.runs = self.readings = 0

    def read(self) -> float:
        self.readings += 1
        return self.now

    def work(self) -> str:
        self.now += self.seconds[self.runs % len(self.seconds)]
        self.runs += 1
        return "done"


# In the first, each mistake below gives another number; the second has two runs in the middle, and
# the third a length that nobody rounds.
_RUNS = ([0.6, 0.4, 0.1, 0.5, 2.0, 0.3, 0.2], [0.8, 0.1, 0.2, 0.4], [0.7312])

_ITS_CLOCK = "call clock(), or hand it on, as in stopwatch(work, clock)"

_MISTAKES: dict[str, Callable[[Sequence[float]], float]] = {
    "that is the upper one of the two runs in the middle; with an even n, the median is half-way "
    "between them": median_high,
    "that is the lower one of the two runs in the middle; with an even n, the median is half-way "
    "between them": median_low,
    "that is the mean of the runs, or the whole loop's time / n, and one slow run moves it; the "
    "median is the one in the middle when they are sorted": mean,
    "that is the best run; half of the runs should be faster than the median": min,
    "that is the slowest run": max,
    "that is all runs together; time each of them": sum,
    "that is the first run alone": lambda runs: runs[0],
    "that is the last run alone: keep each time in a list": lambda runs: runs[-1],
    "that is the run in the middle of the list, as it came; sort it first": (
        lambda runs: runs[len(runs) // 2]
    ),
    "the start is read only once, so that each run's time holds those before it too": (
        lambda runs: median(accumulate(runs))
    ),
    "that is what the clock shows; a length is the difference of two readings": (
        lambda runs: _BEGIN + median(accumulate(runs))
    ),
    "that leaves out the first run; here all n of them count": (
        lambda runs: median(runs[1:] or [0])
    ),
    "that must be milliseconds; give seconds, which is what the clock counts": (
        lambda runs: 1000 * median(runs)
    ),
    "that is rounded; give it as it is": lambda runs: round(median(runs), 2),
    "that is negative: the second reading minus the first, clock() - start": (
        lambda runs: -median(runs)
    ),
}


def _median(median_seconds: Callable[..., Any]) -> None:
    for runs in _RUNS:
        clock, n = _Clock(runs), len(runs)
        try:
            got = call(median_seconds, clock.work, n, clock.read)
        except NotAttempted:
            if clock.runs:
                raise Wrong("it runs work(), and gives nothing back: return the median.") from None
            raise
        except Wrong as wrong:
            if not callable(median_seconds):
                raise
            raise Wrong(f"called with work, n={n} and clock, {_raised(wrong)}") from wrong
        told = f"for {n} runs of {', '.join(map(str, runs))} s "
        if not clock.runs:
            raise Wrong(f"{told}it never calls work().")
        if clock.runs != n:
            raise Wrong(f"{told}it calls work() {_times(clock.runs)}, and n is {n}.")
        if not clock.readings:
            raise Wrong(f"{told}it never reads the clock that it was given: {_ITS_CLOCK}.")
        if not close(got, median(runs)):
            raise Wrong(f"{told}{_why_not_median(got, runs)}")


def _raised(wrong: Wrong) -> str:
    """What was raised, without the addresses of the arguments."""
    said = "it raised " + str(wrong).partition(" it raised ")[2]
    if "unsupported operand" in said and "'method'" in said:
        return said + " clock is a function: clock() reads it."
    if "object is not callable" in said:
        return said + " Hand on the functions themselves: work() and clock() call them at once."
    return said


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _why_not_median(got: Any, runs: Sequence[float]) -> str:
    if isinstance(got, list | tuple | dict):
        return f"it gives a {type(got).__name__} of {len(got)}; give one number, their median."
    if not is_number(got):
        return f"it gives {shown(got)}, a {type(got).__name__}; give a number of seconds."
    why = [text for text, wrong in _MISTAKES.items() if close(got, wrong(runs))]
    why = why or ["sort them, and take the one in the middle"]
    return f"it gives {got:.6g}, and {median(runs):.6g} is right: {why[0]}."


def _mean(answer: Any) -> None:
    wrong: dict[float, str] = {
        0.02: "that is the median, and the best as well. The mean adds up all five, the slow one "
        "too",
        0.12: "that is half-way between the fastest and the slowest; the mean counts all five runs",
        0.3: "that is all five together; share it out among them",
        0.22: "that is the slowest run",
        0.048: "the fast run counts four times, not once",
        60: "that must be milliseconds; give seconds",
    }
    if close(answer, 0.06):
        return
    if not is_number(answer):
        raise Wrong(f"not {shown(answer, 40)}: give one number, without quotes.")
    otherwise = "add up four times 0.02 s and once 0.22 s, and divide by the number of runs"
    raise Wrong(f"not {shown(answer, 40)}: {why_not(answer, wrong, otherwise)}.")


def _wait(add_wait: Callable[..., Any]) -> None:
    registry, slept = _with_wait(add_wait)
    _check_schema(registry)
    for seconds in (0.05, 0.05, 0.02):  # short, for those who sleep all the same
        _check_run(registry, slept, seconds)
    _check_run(*_with_wait(add_wait), 0.05)  # a second registry, with its own sleep


def _with_wait(add_wait: Callable[..., Any]) -> tuple[ToolRegistry, list[Any]]:
    """A registry with the tool in it, and the list of how long its sleep was called for."""
    registry, slept = ToolRegistry(), []
    _add(add_wait, registry, slept.append)
    return registry, slept


def _check_run(registry: ToolRegistry, slept: list[Any], seconds: float) -> None:
    slept.clear()
    (result,) = execute_sequential([ToolCall("call_1", "wait", {"seconds": seconds})], registry)
    told = f"called with seconds={seconds}, wait "
    if not result.success:
        raise Wrong(f"{told}fails: {shorten(str(result.error), 200)}")
    if not slept:
        raise Wrong(f"{told}never calls the sleep that add_wait was given.")
    if slept != [seconds]:
        raise Wrong(f"{told}sleeps for {slept}; once, for {seconds}, is asked.")
    if result.output is None:
        raise Wrong(f"{told}sleeps, and gives nothing back: end it in return seconds.")
    if result.output != seconds:
        raise Wrong(f"{told}sleeps, and then returns {shown(result.output)}; return {seconds}.")


def _add(add_wait: Callable[..., Any], registry: ToolRegistry, sleep: Callable[..., Any]) -> None:
    if not callable(add_wait):
        raise Wrong(f"give the function itself, not {shown(add_wait)}.")
    try:
        given = add_wait(registry, sleep)
    except Exception as error:
        hint = (
            " A model sends arguments by name: leave out the /." if "by name" in str(error) else ""
        )
        raise Wrong(f"it raised {explain(error)}.{hint}") from error
    if given is None and not len(registry):
        raise NotAttempted
    if given is None:
        raise Wrong("the tool is there, and add_wait gives nothing back: end in return registry.")
    if given is not registry:
        other = "another one" if isinstance(given, ToolRegistry) else f"a {type(given).__name__}"
        raise Wrong(f"give back the registry that came in, not {other}.")
    if "wait" not in registry:
        found = f"it has {list(registry)}" if len(registry) else "put @registry.tool above it"
        raise Wrong(f"there is no tool named 'wait' in the registry; {found}.")


def _check_schema(registry: ToolRegistry) -> None:
    schema = registry.get_schema("wait")
    properties = schema.get("properties", {})
    if list(properties) != ["seconds"]:
        raise Wrong(f"its parameters are {list(properties)}; a model should find ['seconds'].")
    seconds = properties["seconds"]
    told = f"the model reads {seconds} about seconds: "
    if "type" not in seconds and "anyOf" not in seconds:
        raise Wrong(f"{told}without a type hint, it may send 'soon'.")
    if seconds.get("type") == "integer":
        raise Wrong(f"{told}0.5 would be refused, and is a fine number of seconds.")
    if seconds.get("type", "number") != "number":
        raise Wrong(f"{told}sleep wants a number; hint at float.")
    if "seconds" not in schema.get("required", []):
        raise Wrong("seconds has a default, so a model may leave it out; here it is required.")
    if not seconds.get("description"):
        raise Wrong(f"{told}a description is missing. Annotated[float, Field(description='…')].")
    if not registry["wait"].description.strip():
        raise Wrong("wait has no docstring, so a model can't know what the tool is for.")


EXERCISES = {
    "02.1": Exercise(
        title="predict the mean",
        judge=_mean,
        notice="Not one of the five runs takes that long. The next cell shows the others.",
        hints=("Add up all five runs.", "Divide by five."),
        solution="my_mean = 0.06",
        required=False,
    ),
    "02.2": Exercise(
        title="a stopwatch to trust",
        judge=_median,
        notice=(
            "Each run is timed by itself, so one slow run of 2.0 s moves nothing. And because the "
            "clock is an argument, the check needed no time at all."
        ),
        hints=(
            "One run is what stopwatch(work, clock) does; you may use it.",
            "A list with one time a run: [… for _ in range(n)].",
            "median is imported already, and knows what to do with an even n.",
        ),
        solution="""
            from statistics import median

            def median_seconds(work, n, clock):
                runs = []
                for _ in range(n):
                    start = clock()
                    work()
                    runs.append(clock() - start)
                return median(runs)
        """,
    ),
    "02.3": Exercise(
        title="a tool with a schema",
        judge=_wait,
        notice=(
            "Send it 'soon', and the model reads which argument is wrong and why; nobody has slept."
        ),
        hints=(
            "Inside add_wait, define a function wait(seconds) with @registry.tool above it.",
            "The parameter reads seconds: Annotated[float, Field(description='…')].",
            "wait has a docstring, calls sleep(seconds) and returns seconds; add_wait returns "
            "registry.",
        ),
        solution="""
            from typing import Annotated

            from pydantic import Field

            def add_wait(registry, sleep):
                @registry.tool
                def wait(seconds: Annotated[float, Field(description="How long, in s")]) -> float:
                    \"\"\"Wait for a while, then give back how long it was.\"\"\"
                    sleep(seconds)
                    return seconds

                return registry
        """,
        required=False,
    ),
}
