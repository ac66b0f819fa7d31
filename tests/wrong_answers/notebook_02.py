"""Wrong answers to the exercises of notebook 02."""

from statistics import mean, median, median_high, median_low
from time import perf_counter
from time import sleep as really_sleep
from typing import Annotated

from pydantic import Field


def stopwatch(work, clock):
    start = clock()
    work()
    return clock() - start


def timed(work, n, clock):
    runs = []
    for _ in range(n):
        start = clock()
        work()
        runs.append(clock() - start)
    return runs


def of_all_runs(number):
    return lambda work, n, clock: number(timed(work, n, clock))


def the_whole_loop(work, n, clock):
    """The textbook's own mistake."""
    start = clock()
    for _ in range(n):
        work()
    return (clock() - start) / n


def called_too_early(work, n, clock):
    return median(stopwatch(work(), clock()) for _ in range(n))


def start_read_once(work, n, clock):
    start, runs = clock(), []
    for _ in range(n):
        work()
        runs.append(clock() - start)
    return median(runs)


def readings_themselves(work, n, clock):
    runs = []
    for _ in range(n):
        work()
        runs.append(clock())
    return median(runs)


def a_warm_up_too(work, n, clock):
    work()
    return median(timed(work, n, clock))


def nothing_back(work, n, clock):
    median(timed(work, n, clock))


FULL = Annotated[float, Field(description="How long, in seconds")]


def positional_only(registry, sleep):
    @registry.tool
    def wait(seconds: FULL, /) -> float:
        """Wait for a while."""
        sleep(seconds)
        return seconds

    return registry


def field_as_default(registry, sleep):
    @registry.tool
    def wait(seconds: float = Field(description="How long")) -> float:
        """Wait for a while."""
        sleep(seconds)
        return seconds

    return registry


def not_registered(registry, sleep):
    def wait(seconds: FULL) -> float:
        """Wait for a while."""
        sleep(seconds)
        return seconds

    return registry


def the_function_back(registry, sleep):
    @registry.tool
    def wait(seconds: FULL) -> float:
        """Wait for a while."""
        sleep(seconds)
        return seconds

    return wait


def no_registry_back(registry, sleep):
    the_function_back(registry, sleep)


def other_name(registry, sleep):
    @registry.tool
    def pause(seconds: FULL) -> float:
        """Wait for a while."""
        sleep(seconds)
        return seconds

    return registry


def other_parameter(registry, sleep):
    @registry.tool
    def wait(delay: FULL) -> float:
        """Wait for a while."""
        sleep(delay)
        return delay

    return registry


def hinted(hint, **default):
    """An answer that is right but for the type hint of seconds, or its default."""

    def add_wait(registry, sleep):
        def wait(seconds):
            """Wait for a while."""
            sleep(seconds)
            return seconds

        wait.__annotations__ = {} if hint is None else {"seconds": hint}
        wait.__defaults__ = tuple(default.values()) or None
        return registry.register(wait) and registry

    return add_wait


def no_docstring(registry, sleep):
    @registry.tool
    def wait(seconds: FULL) -> float:
        sleep(seconds)
        return seconds

    return registry


def its_own_sleep(registry, sleep):
    @registry.tool
    def wait(seconds: FULL) -> float:
        """Wait for a while."""
        really_sleep(seconds)
        return seconds

    return registry


def in_milliseconds(registry, sleep):
    @registry.tool
    def wait(seconds: FULL) -> float:
        """Wait for a while."""
        sleep(1000 * seconds)
        return seconds

    return registry


def no_output(registry, sleep):
    @registry.tool
    def wait(seconds: FULL) -> None:
        """Wait for a while."""
        sleep(seconds)

    return registry


def fails(registry, sleep):
    @registry.tool
    def wait(seconds: FULL) -> float:
        """Wait for a while."""
        return sleep(seconds, seconds)

    return registry


def gives_the_first_registry():
    made = []

    def add_wait(registry, sleep):
        if not made:
            made.append(hinted(FULL)(registry, sleep))
        return made[0]

    return add_wait


def remembers_its_sleeps(registry, sleep):
    remembered = set()

    @registry.tool
    def wait(seconds: FULL) -> float:
        """Wait for a while."""
        if seconds not in remembered:
            sleep(seconds)
            remembered.add(seconds)
        return seconds

    return registry


def text_back(registry, sleep):
    @registry.tool
    def wait(seconds: FULL) -> str:
        """Wait for a while."""
        sleep(seconds)
        return f"{seconds} s"

    return registry


def clock_not_called(work, n, clock):
    start = clock
    work()
    return clock - start


WRONG = {
    "02.2": [
        (called_too_early, "Hand on the functions themselves"),
        (the_whole_loop, "one slow run moves it"),
        (of_all_runs(mean), "one slow run moves it"),
        (of_all_runs(min), "that is the best run"),
        (of_all_runs(max), "that is the slowest run"),
        (of_all_runs(sum), "all runs together"),
        (of_all_runs(lambda runs: runs[0]), "the first run alone"),
        (of_all_runs(lambda runs: runs[-1]), "the last run alone"),
        (of_all_runs(lambda runs: runs[len(runs) // 2]), "as it came; sort it first"),
        (of_all_runs(median_high), "the upper one of the two"),
        (of_all_runs(median_low), "the lower one of the two"),
        (of_all_runs(lambda runs: median(runs[1:] or runs)), "leaves out the first run"),
        (of_all_runs(list), "give one number"),
        (of_all_runs(lambda runs: 3.25), "take the one in the middle"),
        (start_read_once, "the start is read only once"),
        (readings_themselves, "what the clock shows"),
        (a_warm_up_too, "it calls work() 8 times, and n is 7"),
        (lambda work, n, clock: timed(work, 1, clock)[0], "it calls work() once, and n is 7"),
        (lambda work, n, clock: clock() - clock(), "it never calls work()"),
        (lambda work, n, clock: median(timed(work, n, perf_counter)), "never reads the clock"),
        (clock_not_called, "clock() reads it"),
        (nothing_back, "gives nothing back"),
        (lambda work, n, clock: work.median, "called with work, n=7 and clock, it raised"),
        (of_all_runs(lambda runs: 1000 * median(runs)), "milliseconds"),
        (of_all_runs(lambda runs: round(median(runs), 2)), "that is rounded"),
        (of_all_runs(lambda runs: round(median(runs), 3)), "it gives 0.731, and 0.7312 is right"),
        (of_all_runs(lambda runs: -median(runs)), "that is negative"),
        (of_all_runs(lambda runs: f"{median(runs):.1f} s"), "it gives '0.4 s', a str"),
        (of_all_runs(lambda runs: float("nan")), "it gives nan, and 0.4 is right"),
        (0.6, "give the function itself"),
    ],
    "02.3": [
        (hinted(None), "without a type hint, it may send 'soon'"),
        (hinted(Annotated[int, Field(description="How long")]), "0.5 would be refused"),
        (hinted(Annotated[str, Field(description="How long")]), "hint at float"),
        (hinted(float), "a description is missing"),
        (hinted(Annotated[float, "How long, in seconds"]), "a description is missing"),
        (hinted(FULL, seconds=1.0), "seconds has a default"),
        (no_docstring, "no docstring"),
        (positional_only, "leave out the /"),
        (field_as_default, "has a Field as its default"),
        (not_registered, "put @registry.tool above it"),
        (other_name, "no tool named 'wait' in the registry; it has ['pause']"),
        (other_parameter, "its parameters are ['delay']"),
        (the_function_back, "give back the registry that came in"),
        (no_registry_back, "end in return registry"),
        (its_own_sleep, "never calls the sleep"),
        (in_milliseconds, "sleeps for [50.0]"),
        (no_output, "and gives nothing back"),
        (fails, "wait fails: "),
        (gives_the_first_registry(), "the registry that came in, not another one"),
        (remembers_its_sleeps, "never calls the sleep that add_wait was given"),
        (text_back, "then returns '0.05 s'; return 0.05"),
        ("wait", "give the function itself"),
    ],
    "02.1": [
        ("0.06", "one number, without quotes"),
        ((0.06, 0.02), "one number, without quotes"),
        (0.02, "that is the median"),
        (0.12, "half-way between"),
        (0.3, "share it out"),
        (0.22, "that is the slowest run"),
        (0.048, "counts four times"),
        (60, "milliseconds"),
        (0.05, "divide by the number of runs"),
        ("0.06 s", "one number, without quotes"),
        (float("nan"), "not nan: add up"),
        (True, "one number"),
    ],
}

EQUIVALENT = {
    "02.2": {
        "loop: for _ in range(n) → for _ in list(range(n))[::-1]": "n rounds are n rounds",
        "double: start = clock()": "the second reading counts, and nothing ran before it",
        "double: runs.append(clock() - start)": "each length is there twice: the median is the same",
        "cache: first of equal": "no two calls are equal: work and clock are new ones",
    },
    "02.3": {
        "constant: 'How long, in s' → 'How long, in sx'": "a description is free",
        "cache: first of equal": "no two calls are equal: the registry is a new one",
    },
    "02.1": {},
}
