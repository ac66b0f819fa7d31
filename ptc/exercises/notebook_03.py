"""The exercises of notebook 03."""

import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import thread as pools
from itertools import permutations
from time import monotonic, sleep
from typing import Any

from ..calls import ToolCall
from ..text import describe, explain, shorten
from ..timeline import schedule
from .judging import Exercise, NotAttempted, Wrong, close, why_not

# --- 03.1: run them together ------------------------------------------------------------------

_PATIENCE = 1.0  # seconds that calls wait for others, where nobody can say whether some will come
_WAITING = {"wait", "join", "_wait_for_tstate_lock"}  # where a caller of ours stands and waits
_STARTING = {"submit", "start"}  # functions that wait as well, for a moment


class _Meeting:
    """A ``run`` in which the calls wait for each other: how many meet is how many run at once.

    They part when all are there, or when nobody else can come: every thread that was started
    since is inside, and so is the caller, or it waits. They leave in ``order``, by their places.
    """

    def __init__(self, calls: Sequence[ToolCall], order: Sequence[int]) -> None:
        self.calls = list(calls)
        self.order = list(order)
        self.caller = threading.current_thread()
        self.threads: list[threading.Thread] = []  # of each call that came
        self.most = 0
        self.queued = 0  # behind those who met, for want of a worker
        self._before = set(threading.enumerate())
        self._inside: dict[int, threading.Thread] = {}
        self._leaving: list[int] | None = None  # the order of those who met, once they part
        self._quiet = 0
        self._changed = threading.Condition()

    def run(self, asked: ToolCall) -> str:
        place = self.calls.index(asked)
        with self._changed:
            self._inside[place] = threading.current_thread()
            self.threads.append(threading.current_thread())
            self.most = max(self.most, len(self._inside))
            self._meet()
            self._changed.wait_for(lambda: self._may_leave(place), _PATIENCE)
        sleep(0.001)  # whoever left before has handed its result over by now
        with self._changed:
            self._inside.pop(place, None)
            if place in self._leaving:
                self._leaving.remove(place)
            self._changed.notify_all()
        return _answer(asked)

    def _meet(self) -> None:
        self._quiet, deadline = 0, monotonic() + _PATIENCE
        while self._leaving is None:
            self._quiet = self._quiet + 1 if self._nobody_comes() else 0
            met = len(self._inside) == len(self.calls) or self._quiet > 5
            if met or monotonic() > deadline:
                self._leaving = [place for place in self.order if place in self._inside]
                self.queued = sum(map(_queued_behind, self._inside.values()))
                self._changed.notify_all()
            else:
                self._changed.wait(0.001)

    def _may_leave(self, place: int) -> bool:
        return place not in self._leaving or place == self._leaving[0]

    def _nobody_comes(self) -> bool:
        inside = set(self._inside.values())
        new = set(threading.enumerate()) - self._before
        if not new <= inside or (inside & self._before) - {self.caller}:
            return False  # some thread may be on its way
        return self.caller in inside or self._caller_waits()

    def _caller_waits(self) -> bool:
        names, frame = [], sys._current_frames().get(self.caller.ident)
        while frame:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
        return bool(names) and names[0] in _WAITING and not _STARTING & set(names)


def _queued_behind(thread: threading.Thread) -> int:
    """How many jobs are submitted to the thread's pool, and have no worker yet."""
    queue = getattr(pools, "_threads_queues", {}).get(thread)
    return queue.qsize() if queue else 0


_ANSWERS = {"get_time": "14:05", "get_date": "Monday", "get_weather": "light rain"}


def _batch(*named: tuple[str, str]) -> list[ToolCall]:
    return [ToolCall(f"call_{n}", name, {"city": city}) for n, (name, city) in enumerate(named, 1)]


def _answer(asked: ToolCall) -> str:
    return f"{_ANSWERS[asked.name]} in {asked.arguments['city']}"


_THREE = _batch(("get_weather", "Paris"), ("get_time", "Paris"), ("get_date", "Paris"))
_FOUR = _batch(
    ("get_time", "Paris"), ("get_time", "Tokyo"), ("get_date", "Lima"), ("get_weather", "Oslo")
)


def _together(runner: Callable[..., Any]) -> None:
    if not callable(runner):
        raise Wrong(f"give the function itself, not {shorten(describe(runner), 80)}.")
    for order in permutations(range(3)):
        _together_once(runner, _THREE, order, workers=3)
    _together_once(runner, _FOUR, range(4), workers=2)


def _together_once(
    runner: Callable[..., Any], calls: list[ToolCall], order: Sequence[int], workers: int
) -> None:
    meeting = _Meeting(calls, order)
    told = f"with {len(calls)} calls and {workers} workers, "
    try:
        got = runner(list(calls), meeting.run, workers)
    except Exception as error:
        raise Wrong(f"{told}it raised {explain(error)}.{_after_an_error(error)}") from error
    if got is None and not meeting.threads:
        raise NotAttempted
    why = _why_no_list(got) or _why_not_at_once(meeting, workers)
    if not why and got != [_answer(asked) for asked in calls]:
        why = _why_not(got, calls, order)
    if why:
        raise Wrong(told + why)


def _after_an_error(error: Exception) -> str:
    if isinstance(error, TypeError) and "not callable" in str(error):
        return " submit(run(call)) would run the call here and submit its output; give both parts."
    return ""


def _why_no_list(got: Any) -> str:
    if got is None:
        return "it runs the calls, and gives nothing back: return the list of outputs."
    if not isinstance(got, list):
        return f"it gives a {type(got).__name__}; make it a list of outputs."
    if any(hasattr(item, "result") for item in got):
        return "it gives futures, the promise of a result; ask each for its .result()."
    return ""


def _why_not_at_once(meeting: _Meeting, workers: int) -> str:
    calls, threads = meeting.calls, meeting.threads
    if len(threads) != len(calls):
        times = "once" if len(threads) == 1 else f"{len(threads)} times"
        return f"it calls run {times}; once for each call is asked."
    if meeting.most > workers:
        return f"{meeting.most} ran at once: open the pool with ThreadPoolExecutor(workers)."
    if meeting.most == min(workers, len(calls)):
        return ""
    if set(threads) == {meeting.caller}:
        return "all ran in your own thread, one after the other: submit them to a pool."
    if meeting.most > 1:
        return f"only {meeting.most} ran at once: open the pool with ThreadPoolExecutor(workers)."
    if len(set(threads)) == 1 and meeting.queued:
        return "only one ran at a time: the pool has one worker. ThreadPoolExecutor(workers)."
    return (
        "only one ran at a time, each over before the next was submitted. What waits in the loop: "
        ".result(), join(), the end of a with block? Submit all first, then collect."
    )


def _why_not(got: list, calls: Sequence[ToolCall], order: Sequence[int]) -> str:
    expected = [_answer(asked) for asked in calls]
    finished = ", ".join(calls[place].name for place in order)
    told = f"finishing in the order {finished}, it gives {got!r}. "
    if sorted(map(str, got)) == sorted(expected):
        return told + (
            f"All answers are there, at the wrong places: the first call is {calls[0].name}, "
            "whichever finishes first."
        )
    return told + f"It should be {expected!r}."


# --- 03.2: predict a timeline -----------------------------------------------------------------

_NAMES = ("get_time Paris", "get_date Paris", "get_date Tokyo", "get_weather Tokyo")
_DELAYS = (0.3, 0.1, 0.1, 0.2)
_WORKERS = 2

Bar = tuple[int, float, float]

_TARGET: list[Bar] = [
    (int(span.worker[-1]), span.start, span.end) for span in schedule(_DELAYS, _WORKERS)
]
_MISTAKES: dict[str, list[Bar]] = {
    "those are the lengths; the third number says when a call ends, start + length": (
        [(worker, start, end - start) for worker, start, end in _TARGET]
    ),
    "that is one after the other; worker 2 is free from the start": (
        [(1, 0.0, 0.3), (1, 0.3, 0.4), (1, 0.4, 0.5), (1, 0.5, 0.7)]
    ),
    "you go two by two: worker 2 is done at 0.1 s and waits for worker 1 until 0.3 s. A worker "
    "that is free takes the next call at once": (
        [(1, 0.0, 0.3), (2, 0.0, 0.1), (1, 0.3, 0.4), (2, 0.3, 0.5)]
    ),
    "you take the workers in turns, 1, 2, 1, 2. The third call goes to the worker that is free "
    "first": ([(1, 0.0, 0.3), (2, 0.0, 0.1), (1, 0.3, 0.4), (2, 0.1, 0.3)]),
    "you start the longest calls first. That can pay, and is for notebook 08; here they start in "
    "request order": ([(1, 0.0, 0.3), (2, 0.2, 0.3), (1, 0.3, 0.4), (2, 0.0, 0.2)]),
}


def _timeline(answer: Any) -> None:
    if isinstance(answer, int | float):
        right = "the right makespan" if close(answer, 0.4) else "not the makespan either"
        raise Wrong(f"{answer} is one number ({right}); a (worker, start, end) a call is asked.")
    bars = _bars(answer)
    if _same(bars, _TARGET):
        return
    for why, mistake in _MISTAKES.items():
        if _same(bars, mistake):
            raise Wrong(f"{why}.")
    raise Wrong(_why_no_timeline(bars))


def _bars(answer: Any) -> list[Bar]:
    """The answer as triples; Spans will do as well, and either worker may be called the first."""
    try:
        items = list(answer)
        items = [item[1:4] if hasattr(item, "worker") else tuple(item) for item in items]
        bars = [(str(worker)[-1], 1.0 * start, 1.0 * end) for worker, start, end in items]
    except (TypeError, ValueError):
        shown = shorten(repr(answer), 80)
        raise Wrong(f"{shown} is no list of (worker, start, end), with numbers.") from None
    if len(bars) != len(_DELAYS):
        raise Wrong(f"there are {len(_DELAYS)} calls, and {len(bars)} in your list.")
    numbers: dict[str, int] = {}
    return [(numbers.setdefault(w, len(numbers) + 1), start, end) for w, start, end in bars]


def _same(bars: Sequence[Bar], others: Sequence[Bar]) -> bool:
    return all(
        one[0] == other[0] and close(one[1], other[1]) and close(one[2], other[2])
        for one, other in zip(bars, others, strict=True)
    )


def _why_no_timeline(bars: list[Bar]) -> str:
    if max(end for _, _, end in bars) >= 10:
        return "that must be milliseconds; write seconds, 0.3 and not 300."
    if len({worker for worker, _, _ in bars}) > _WORKERS:
        return f"you use {len({w for w, _, _ in bars})} workers, and there are {_WORKERS}."
    for name, seconds, (_, start, end) in zip(_NAMES, _DELAYS, bars, strict=True):
        if not close(end - start, seconds):
            return f"{name} takes {seconds} s; from {start:g} to {end:g} it is {end - start:.2g} s."
    for name, (worker, start, _) in zip(_NAMES, bars, strict=True):
        others = [bar for bar in bars if bar[0] == worker and bar[1] <= start < bar[2] - 1e-9]
        if len(others) > 1:
            return f"worker {worker} has two calls at {start:g} s, {name} and another; it does one."
    for name, yours, right in zip(_NAMES, bars, _TARGET, strict=True):
        if not _same([yours], [right]):
            return (
                f"{name} stands at {_shown(yours)}; {_shown(right)} is right, because that worker "
                f"is free at {right[1]:.1f} s."
            )
    return ""


def _shown(bar: Bar) -> str:
    worker, start, end = bar
    return f"({worker}, {start:.1f}, {end:.1f})"


# --- 03.3: how far it can go ------------------------------------------------------------------


def _limit(answer: Any) -> None:
    if isinstance(answer, int | float) and 1.24 <= answer <= 1.3:
        return
    raise Wrong(f"not {shorten(repr(answer), 40)}: {_why_not_limit(answer)}.")


def _why_not_limit(answer: Any) -> str:
    wrong = {
        2: "that is the speedup of the tools, and the user waits for the model as well",
        2.4: "those are the seconds that are left; divide 3.0 by them",
        0.6: "those are the seconds that are saved; divide the time before by the time after",
        0.8: "that is the time after divided by the time before; turn it round",
        0.25: "that is what is gained; as a number of times, count the answer itself as 1",
        25: "that is what is gained, in per cent; give a number of times",
        1: "0.6 s of waiting are gone, so something is gained",
    }
    if not isinstance(answer, int | float):
        return "give a number, such as 1.5"
    otherwise = "take the tools' 0.6 s from the 3.0 s; divide 3.0 s by what is left"
    if 1.05 < answer <= 1.2:
        otherwise = "that is what tools of 0.3 s bring; without any, a little more is gained"
    if answer >= 3:
        otherwise = "the tools take nothing, but the model still takes its two turns of 1.2 s"
    return why_not(answer, wrong, otherwise)


EXERCISES = {
    "03.1": Exercise(
        title="run them together",
        judge=_together,
        notice=(
            "All calls met inside run, and in each of the 6 finishing orders the outputs were in "
            "request order. With 2 workers, never more than 2 ran at once."
        ),
        hints=(
            "Two steps: first submit every call, then collect every result.",
            "futures = [pool.submit(run, call) for call in calls] doesn't wait. What comes next?",
            "Open the pool as the textbook does, with ThreadPoolExecutor(workers) as pool, and ask "
            "each of the futures for its .result(). pool.map(run, calls) does both steps.",
        ),
        solution="""
            from concurrent.futures import ThreadPoolExecutor

            def run_together(calls, run, workers):
                with ThreadPoolExecutor(workers) as pool:
                    futures = [pool.submit(run, call) for call in calls]
                    return [future.result() for future in futures]
        """,
    ),
    "03.2": Exercise(
        title="predict a timeline",
        judge=_timeline,
        notice=(
            "0.4 s for 0.7 s of work. Worker 1 is idle in the last 0.1 s: even here, two workers "
            "are not twice as fast."
        ),
        hints=(
            "The first two calls start at 0.0, one on each worker. Which worker is free first?",
            "Worker 2 is free at 0.1 s and takes the third call. When is it free again?",
            "The fourth call starts at 0.2 s, while the first one still runs.",
        ),
        solution="""
            my_timeline = [
                (1, 0.0, 0.3),  # get_time, Paris
                (2, 0.0, 0.1),  # get_date, Paris
                (2, 0.1, 0.2),  # get_date, Tokyo
                (2, 0.2, 0.4),  # get_weather, Tokyo
            ]
        """,
        required=False,
    ),
    "03.3": Exercise(
        title="predict the limit",
        judge=_limit,
        notice="3.0 / 2.4: the model's two turns stay, whatever the tools do.",
        hints=(
            "How many of the 3.0 s are the model's?",
            "The speedup is the time before, divided by the time after.",
        ),
        solution="limit = 3.0 / 2.4",
        required=False,
    ),
}
