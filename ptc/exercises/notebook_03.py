"""The exercises of notebook 03."""

import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import thread as pools
from itertools import permutations
from time import monotonic, sleep
from typing import Any

from ..calls import ToolCall
from ..text import explain
from ..timeline import schedule
from .judging import Exercise, NotAttempted, Wrong, close, is_number, shown, why_not

# --- 03.1: run them together ------------------------------------------------------------------

_PATIENCE = 1.0  # seconds that calls wait for others, where nobody can say whether some will come
_MORE = 0.2  # seconds that as many as may run at once wait for one too many
_QUIET = 30  # looks, a millisecond apart, at which nobody could come
_WAITING = {"wait", "join", "_wait_for_tstate_lock"}  # where a caller of ours stands and waits
_STARTING = {"submit", "start"}  # functions that wait as well, for a moment


class _Watched:
    """The calls of a batch, and who is inside ``run`` at the moment.

    Calls that wait for others inside ``run`` must know when nobody else can come: each thread that
    was started since is inside or idle, and the caller waits or is inside itself.
    """

    def __init__(self, calls: Sequence[ToolCall]) -> None:
        self.calls = list(calls)
        self.answers = _answers(calls)
        self.caller = threading.current_thread()
        self.threads: list[threading.Thread] = []  # of each call that came
        self.changed = threading.Condition()
        self.inside: dict[int, threading.Thread] = {}
        self._before = set(threading.enumerate())
        self._quiet = 0

    def enter(self, asked: ToolCall) -> int:
        """The place of a call that comes; it holds the lock."""
        place = self._place(asked)
        self.inside[place] = threading.current_thread()
        self.threads.append(threading.current_thread())
        return place

    def _place(self, asked: ToolCall) -> int:
        for place, one in enumerate(self.calls):
            if one is asked:
                return place
        if asked in self.calls:
            return self.calls.index(asked)
        raise TypeError(f"run takes one of the calls, not {shown(asked)}")

    def wait_while(self, some_may_come: Callable[[], bool], patience: float = _PATIENCE) -> None:
        """Wait until it says no, or nobody can come any more."""
        self._quiet, deadline = 0, monotonic() + patience
        while some_may_come() and self._quiet < _QUIET and monotonic() < deadline:
            self._quiet = self._quiet + 1 if self._nobody_comes() else 0
            self.changed.wait(0.001)

    def _nobody_comes(self) -> bool:
        inside = set(self.inside.values())
        new = set(threading.enumerate()) - self._before
        if (inside & self._before) - {self.caller} or not all(map(_is_idle, new - inside)):
            return False  # some thread may be on its way
        return self.caller in inside or self._caller_waits()

    def _caller_waits(self) -> bool:
        names = _functions(self.caller)
        return bool(names) and names[0] in _WAITING and not _STARTING & set(names)


class _Meeting(_Watched):
    """A ``run`` in which the calls wait for each other: how many meet is how many run at once.

    They part when all are there, or when nobody else can come, and leave in ``order``, by their
    places.
    """

    def __init__(self, calls: Sequence[ToolCall], order: Sequence[int], workers: int) -> None:
        super().__init__(calls)
        self.order = list(order)
        self.workers = workers
        self.most = 0
        self.queued = 0  # behind those who met, for want of a worker
        self._parted = False
        self._leaving: list[int] = []  # those who met and are still inside, in their order

    def run(self, asked: ToolCall) -> str:
        with self.changed:
            place = self.enter(asked)
            self.most = max(self.most, len(self.inside))
            self._meet()
            self.changed.wait_for(lambda: self._may_leave(place), _PATIENCE)
        sleep(0.001)  # whoever left before has handed its result over by now
        with self.changed:
            self.inside.pop(place, None)
            if place in self._leaving:
                self._leaving.remove(place)
            self.changed.notify_all()
        return self.answers[place]

    def _meet(self) -> None:
        all_here = min(self.workers, len(self.calls))
        self.wait_while(lambda: not self._parted and len(self.inside) < all_here)
        self.wait_while(lambda: not self._parted and len(self.inside) < len(self.calls), _MORE)
        if not self._parted:
            self._parted = True
            self._leaving = [place for place in self.order if place in self.inside]
            self.queued = sum(map(_queued_behind, self.inside.values()))
            self.changed.notify_all()

    def _may_leave(self, place: int) -> bool:
        return place not in self._leaving or place == self._leaving[0]


class _Relay(_Watched):
    """A ``run`` in which one long call ends only after all others have begun.

    The others end at once, so one more worker is enough to pass them all. ``waiting`` counts those
    that had not begun when nobody could begin any more.
    """

    def __init__(self, calls: Sequence[ToolCall], long: int) -> None:
        super().__init__(calls)
        self.long = long
        self.waiting = 0
        self._begun: set[int] = set()

    def run(self, asked: ToolCall) -> str:
        with self.changed:
            place = self.enter(asked)
            self._begun.add(place)
            self.changed.notify_all()
            if place == self.long:
                self.wait_while(lambda: len(self._begun) < len(self.calls))
                self.waiting = len(self.calls) - len(self._begun)
            self.inside.pop(place, None)
        return self.answers[place]


def _functions(thread: threading.Thread) -> list[str]:
    """The names of the functions that a thread is in, the innermost first."""
    names, frame = [], sys._current_frames().get(thread.ident or 0)
    while frame:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def _is_idle(thread: threading.Thread) -> bool:
    """Does a pool's thread wait for a job, where there is none?"""
    return _functions(thread)[:1] == ["_worker"] and not _queued_behind(thread)


def _queued_behind(thread: threading.Thread) -> int:
    """How many jobs are submitted to the thread's pool, and have no worker yet."""
    queue = getattr(pools, "_threads_queues", {}).get(thread)
    return queue.qsize() if queue else 0


_ANSWERS = {"get_time": "14:05", "get_date": "Monday", "get_weather": "light rain"}


def _batch(*named: tuple[str, str]) -> list[ToolCall]:
    return [ToolCall(f"call_{n}", name, {"city": city}) for n, (name, city) in enumerate(named, 1)]


def _answers(calls: Sequence[ToolCall]) -> list[str]:
    """An answer a call; that of a call which equals an earlier one differs, as a clock's would."""
    texts = [f"{_ANSWERS[asked.name]} in {asked.arguments['city']}" for asked in calls]
    return [
        text + (", a moment later" if asked in calls[:place] else "")
        for place, (asked, text) in enumerate(zip(calls, texts, strict=True))
    ]


_THREE = _batch(("get_weather", "Paris"), ("get_time", "Paris"), ("get_date", "Paris"))
_FOUR = _batch(
    ("get_time", "Paris"), ("get_time", "Tokyo"), ("get_date", "Lima"), ("get_weather", "Oslo")
)
_EQUAL = [
    ToolCall("call_1", "get_time", {"city": "Paris"}),
    ToolCall("call_1", "get_time", {"city": "Paris"}),
    ToolCall("call_2", "get_date", {"city": "Paris"}),
]


def _together(runner: Callable[..., Any]) -> None:
    if not callable(runner):
        raise Wrong(f"give the function itself, not {shown(runner)}.")
    for order in permutations(range(3)):
        _meet(runner, _THREE, order, workers=3)
    _meet(runner, _FOUR, range(4), workers=2)
    _meet(runner, _EQUAL, (2, 1, 0), workers=3)
    for long in (0, 1):
        _relay(runner, _FOUR, long, workers=2)


def _meet(
    runner: Callable[..., Any], calls: list[ToolCall], order: Sequence[int], workers: int
) -> None:
    meeting = _Meeting(calls, order, workers)
    told = f"with {len(calls)} calls and {workers} workers, "
    got = _given(runner, meeting, workers, told)
    if why := _why_not_at_once(meeting, workers):
        raise Wrong(told + why)
    if got != meeting.answers:
        raise Wrong(told + _why_not(got, meeting))


def _relay(runner: Callable[..., Any], calls: list[ToolCall], long: int, workers: int) -> None:
    relay = _Relay(calls, long)
    told = f"with {len(calls)} calls and {workers} workers, "
    got = _given(runner, relay, workers, told)
    if relay.waiting:
        name = f"{calls[long].name}({calls[long].arguments['city']})"
        raise Wrong(
            f"{told}{name} took long, and while it ran the other worker stood idle, with "
            f"{relay.waiting} of the calls not begun. Rounds make everybody wait for the slowest; "
            "submit all calls, and a worker that is free takes the next."
        )
    if got != relay.answers:
        raise Wrong(f"{told}it gives {got!r}; it should be {relay.answers!r}.")


def _given(
    runner: Callable[..., Any], watched: _Meeting | _Relay, workers: int, told: str
) -> list[Any]:
    """What the runner gives: a list, but perhaps not the right one."""
    try:
        got = runner(list(watched.calls), watched.run, workers)
    except Exception as error:
        raise Wrong(f"{told}it raised {explain(error)}.{_after_an_error(error)}") from error
    if got is None and not watched.threads:
        raise NotAttempted
    if not isinstance(got, list) or any(hasattr(item, "result") for item in got):
        raise Wrong(told + _why_no_list(got))
    return got


def _after_an_error(error: Exception) -> str:
    if isinstance(error, TypeError) and "not callable" in str(error):
        return " submit(run(call)) would run the call here and submit its output; give both parts."
    return ""


def _why_no_list(got: Any) -> str:
    if got is None:
        return "it runs the calls, and gives nothing back: return the list of outputs."
    if isinstance(got, list):
        return "it gives futures, the promise of a result; ask each for its .result()."
    return f"it gives {shown(got)}, a {type(got).__name__}; make it a list of outputs."


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


def _why_not(got: list, meeting: _Meeting) -> str:
    calls, expected = meeting.calls, meeting.answers
    finished = ", ".join(calls[place].name for place in meeting.order)
    told = f"finishing in the order {finished}, it gives {got!r}. "
    if sorted(map(str, got)) == sorted(expected):
        return told + (
            f"All answers are there, at the wrong places: the first call is {calls[0].name}, "
            "whichever finishes first."
        )
    if len(got) == len(expected) and set(map(str, got)) < set(expected):
        return told + (
            "One answer stands twice, and one is lost: two of these calls are equal, and are two "
            "requests all the same. Go by the place in the list, which belongs to one call alone."
        )
    return told + f"It should be {expected!r}."


# --- 03.3: predict a timeline -----------------------------------------------------------------

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
    if is_number(answer):
        right = "the right makespan" if close(answer, 0.4) else "not the makespan either"
        raise Wrong(
            f"{answer} is one number ({right}); write a (worker, start, end) for each call."
        )
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
        bars = [(str(worker), 1.0 * start, 1.0 * end) for worker, start, end in items]
    except (TypeError, ValueError):
        raise Wrong(f"{shown(answer)} is not a list of (worker, start, end).") from None
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


# --- 03.2: how far it can go ------------------------------------------------------------------


def _limit(answer: Any) -> None:
    if is_number(answer) and abs(float(answer) - 1.25) < 0.0049:
        return
    raise Wrong(f"not {shown(answer, 40)}: {_why_not_limit(answer)}.")


def _why_not_limit(answer: Any) -> str:
    wrong: dict[float, str] = {
        2: "that is the speedup of the tools, and the user waits for the model as well",
        2.4: "those are the seconds that are left; divide 3.0 by them",
        0.6: "those are the seconds that are saved; divide the time before by the time after",
        0.8: "that is the time after divided by the time before; turn it round",
        0.25: "that is what is gained; as a number of times, count the answer itself as 1",
        25: "that is what is gained, in per cent; give a number of times",
        1: "0.6 s of waiting are gone, so something is gained",
    }
    if not is_number(answer):
        return "give a number, such as 1.5"
    otherwise = "take the tools' 0.6 s from the 3.0 s; divide 3.0 s by what is left"
    if close(answer, 1.2) or close(answer, 1.3):
        otherwise = "rounded to one decimal it may be; give two, or the division itself"
    elif 1.05 < answer < 1.2:
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
            "request order. With 2 workers, never more than 2 ran at once, and none stood idle."
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
    "03.3": Exercise(
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
}
