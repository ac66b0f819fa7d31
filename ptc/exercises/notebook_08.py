"""The exercises of notebook 08."""

import math
import random
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from ..calls import ToolCall, ToolResult
from ..execute import execute_parallel
from ..registry import ToolRegistry
from ..timeline import lower_bound, schedule
from ..timeline import makespan as last_end
from .judging import Exercise, Wrong, call, close, is_number, shown

# --- 08.1: the makespan model ----------------------------------------------------------------


def _expected(durations: Sequence[float], workers: int) -> float:
    return last_end(schedule(durations, workers))


def _taking_turns(durations: Sequence[float], workers: int) -> float:
    return max((sum(durations[n::workers]) for n in range(workers)), default=0)


def _in_rounds(durations: Sequence[float], workers: int) -> float:
    starts = range(0, len(durations), workers)
    return sum(max(durations[start : start + workers]) for start in starts)


def _end_of_the_last(durations: Sequence[float], workers: int) -> float:
    bars = schedule(durations, workers)
    return bars[-1].end if bars else 0


def _in_parts(durations: Sequence[float], workers: int) -> float:
    size = math.ceil(len(durations) / workers) or 1
    return max((sum(durations[n : n + size]) for n in range(0, len(durations), size)), default=0)


_MODELS: list[tuple[Callable[[Sequence[float], int], float], str]] = [
    (lambda d, w: sum(d), "That is the sum: one worker does it all, the others look on."),
    (
        lambda d, w: max(d, default=0),
        "That is the longest call alone. It needs a worker for each call, and here some calls wait "
        "until a worker is free.",
    ),
    (
        lambda d, w: sum(d) / w,
        "That is total work / workers, as if a call could be cut in pieces and shared out evenly.",
    ),
    (
        lower_bound,
        "That is the lower bound. It says what no order can beat, and not what this order takes: "
        "for that, follow the workers, call by call.",
    ),
    (
        lambda d, w: _expected(sorted(d, reverse=True), w),
        "That is the makespan with the longest call first. The calls start in the order given; "
        "whoever wants another order sorts before.",
    ),
    (
        lambda d, w: _expected(sorted(d), w),
        "That is the makespan with the shortest call first. The calls start in the order given.",
    ),
    (
        _taking_turns,
        "That deals the calls out in turn, like cards. A worker takes the next call when it is "
        "free, so one with short calls takes more of them.",
    ),
    (
        _in_rounds,
        "That runs in rounds, each as long as its longest call. A worker that is done early takes "
        "the next call at once and does not wait for the round to end.",
    ),
    (
        _end_of_the_last,
        "That is when the last call in the list ends. An earlier one may still be running then.",
    ),
    (
        _in_parts,
        "That cuts the list into one part a worker before it starts. A worker takes the next call "
        "when it is free, whichever that is.",
    ),
]


def _makespan_cases() -> list[tuple[list[float], int]]:
    drawn = random.Random(8)
    lists = [[drawn.randint(1, 9) / 4 for _ in range(length)] for length in (5, 7, 9, 12)]
    return [
        ([0.25, 0.25, 1.0], 2),
        ([1.0, 0.25, 0.25], 2),
        ([0.5, 0.25, 0.25, 0.5], 2),
        ([1.0, 0.25, 0.25, 0.25, 0.25], 2),
        ([0.25, 0.5, 0.75, 1.0, 1.25], 3),
        ([0.5, 0.5, 0.5], 1),
        *((durations, workers) for durations in lists for workers in (2, 3, 4)),
        ([0.5, 0.25], 8),
    ]


_CASES = _makespan_cases()
_FIRST: tuple[list[float], int] = ([0.125, 0.125, 0.5], 2)
_EMPTY: tuple[list[float], int] = ([], 3)


def _makespan(model: Callable[..., Any]) -> None:
    _judge_first(model)
    got = [call(model, list(durations), workers) for durations, workers in _CASES]
    for (durations, workers), seconds in zip(_CASES, got, strict=True):
        expected = _expected(durations, workers)
        if not close(seconds, expected):
            why = _why_not_makespan(got, seconds, durations, workers)
            raise Wrong(f"{_told_of(durations, workers, seconds)} {why}")
    if not close(none := call(model, *_EMPTY), 0):
        raise Wrong(f"for no calls it gives {shown(none)}, not 0: they end at once.")


def _told_of(durations: list[float], workers: int, seconds: Any) -> str:
    on = "1 worker" if workers == 1 else f"{workers} workers"
    expected = _expected(durations, workers)
    return f"for {durations} on {on} it gives {shown(seconds)}, not {expected}."


def _judge_first(model: Callable[..., Any]) -> None:
    """One short batch before all others: whoever runs the calls would run them for a minute."""
    durations, workers = _FIRST
    began = perf_counter()
    seconds = call(model, list(durations), workers)
    took = perf_counter() - began
    expected = _expected(durations, workers)
    if not close(seconds, expected) and took >= expected * 0.9:
        raise Wrong(
            f"{_told_of(durations, workers, seconds)} That took {took:.1f} s: the calls were run, "
            "or slept through, and measured. A prediction only computes: nothing runs."
        )


def _why_not_makespan(got: list, seconds: Any, durations: list[float], workers: int) -> str:
    if not is_number(seconds):
        return "Give one number: the seconds until the last call ends."
    for wrong_model, why in _MODELS:
        if all(close(g, wrong_model(*case)) for g, case in zip(got, _CASES, strict=True)):
            return why
    longest = max(durations)
    graham = sum(durations) / workers + (1 - 1 / workers) * longest
    if seconds > graham:
        return (
            f"Graham's bound for it is {graham:g}: a model above that keeps a worker idle while "
            "a call waits."
        )
    if seconds < lower_bound(durations, workers):
        return f"No order beats the lower bound, {lower_bound(durations, workers):g}."
    return "Follow the workers on paper: who is free first takes the next call."


# --- 08.2: predict a rate limit ---------------------------------------------------------------

_DOOR, _INSIDE, _NINE, _ON = 0.1, 0.25, 9, (2, 3, 6)


def _let_in(workers: int) -> float:
    """Seconds until the last of the nine is out, where one is let in at a time."""
    out: list[float] = []
    for number in range(_NINE):
        free = out[number - workers] if number >= workers else 0.0
        door = out[-1] - _INSIDE + _DOOR if out else 0.0
        out.append(max(free, door) + _INSIDE)
    return out[-1]


_CLOSE = 0.02  # seconds: two decimals are asked for


def _service(guess: Any) -> None:
    numbers = isinstance(guess, list | tuple) and all(map(is_number, guess))
    if not numbers or len(guess) != len(_ON):
        raise Wrong(f"{shown(guess)} is not a list of three numbers, such as [9, 9, 9].")
    for seconds, workers in zip(guess, _ON, strict=True):
        if abs(seconds - _let_in(workers)) > _CLOSE:
            why = _why_not_seconds(float(seconds), workers)
            raise Wrong(f"not {seconds:g} s on {workers} workers. {why}")


def _why_not_seconds(seconds: float, workers: int) -> str:
    rounds = math.ceil(_NINE / workers)
    known = [
        (_NINE * _INSIDE, "That is nine answers one after the other, on one worker."),
        (_NINE * (_DOOR + _INSIDE), "That is nine calls one after the other, on one worker."),
        (
            rounds * _INSIDE,
            f"That is {rounds} rounds of {_INSIDE} s, as if nobody had to wait at the door.",
        ),
        (
            rounds * (_DOOR + _INSIDE),
            f"That is {rounds} rounds of {_DOOR + _INSIDE:g} s. A worker waits at the door while "
            "others are inside, so these times overlap.",
        ),
        (
            _NINE * _INSIDE / workers,
            "That is total work / workers, as if nobody had to wait at the door.",
        ),
        (_NINE * _DOOR, "The first is let in at 0.0 s, so the ninth at 0.8 s, and then it is in."),
        (
            _NINE * _DOOR + _INSIDE,
            "The first is let in at 0.0 s, so the ninth at 0.8 s and not at 0.9 s.",
        ),
        ((_NINE - 1) * _DOOR, f"Then the ninth is let in; its answer takes {_INSIDE} s more."),
        (1.0, "Nearly: two decimals. The ninth is let in at 0.80 s, and takes 0.25 s."),
        (1.1, "Nearly: two decimals. The ninth is let in at 0.80 s, and takes 0.25 s."),
    ]
    if workers == _ON[0]:
        known += [
            (
                _let_in(_ON[1]),
                "So it would be if a worker always stood at the door. With two, both are inside "
                "when it opens at 0.2 s: the third call comes when the first is out, at 0.25 s.",
            ),
            (1.2, "Nearly: two decimals."),
            (1.3, "Nearly: two decimals."),
        ]
    for number, why in known:
        if abs(seconds - number) < _CLOSE / 2:
            return why
    if seconds < (_NINE - 1) * _DOOR + _INSIDE:
        return (
            f"No number of workers is as fast: the ninth is let in at 0.8 s at the earliest, and "
            f"its answer takes {_INSIDE} s."
        )
    if workers == _ON[0]:
        return (
            "The first two calls are let in at 0.0 and 0.1 s. The third comes when the first is "
            "out, at 0.25 s. Go on from there to the ninth."
        )
    return (
        f"With {workers} workers one is at the door whenever it opens, so a call is let in every "
        f"{_DOOR} s. When is the ninth let in, and when is it out?"
    )


# --- 08.3: workers under a rate limit --------------------------------------------------------

_RATES = [  # calls a minute, seconds a call, calls in the batch, workers; exact in binary
    (600, 0.5, 400, 5),
    (600, 0.25, 400, 3),
    (240, 1.5, 40, 6),
    (60, 0.25, 40, 1),
    (600, 0.125, 40, 2),
    (600, 2.0, 7, 7),
    (1200, 0.75, 100, 15),
    (301, 1.0, 400, 6),  # a little more than 5, whatever a minute is rounded to
    (299, 1.0, 400, 5),
]


def _rate(choose: Callable[..., Any]) -> None:
    for per_minute, seconds, calls, expected in _RATES:
        got = call(choose, per_minute, seconds, calls)
        if type(got) is not int or got != expected:
            told = (
                f"{per_minute} calls a minute, {seconds} s a call, {calls} calls: it gives "
                f"{shown(got)}, not {expected}."
            )
            raise Wrong(f"{told} {_why_not_workers(got, per_minute, seconds, calls, expected)}")


def _why_not_workers(got: Any, per_minute: int, seconds: float, calls: int, expected: int) -> str:
    busy = per_minute / 60 * seconds
    if not is_number(got):
        return "Give a number of workers."
    if close(got, expected):
        return "The value is right, but workers are counted: give an int, as math.ceil does."
    if got in (math.ceil(per_minute * seconds), min(calls, math.ceil(per_minute * seconds))):
        return "The limit is per minute and a call takes seconds: 60 seconds make a minute."
    if got == calls:
        return (
            f"With a worker for each call all start at once, and the limit lets {busy:g} be on "
            "their way at a time: the others only wait."
        )
    if close(got, per_minute / 60 / seconds):
        return "That is rate / latency. The longer a call takes, the more are on their way at once."
    if got > calls:
        return "More workers than calls: the rest of them have nothing to do."
    if close(got, busy):
        return f"On average {busy:g} calls are on their way, and no worker is a fraction."
    if got == math.floor(busy) + 1 and busy == math.floor(busy):
        return f"rate × latency is exactly {busy:g}, and so many are enough: one more only waits."
    if got < 1:
        return "Without a worker nothing runs: one at least."
    if got < busy:
        return (
            f"{got} workers make {got / seconds:.3g} calls a second, and {per_minute / 60:g} are "
            "allowed: round up to reach the limit."
        )
    return f"rate × latency is {busy:g}: so many calls are on their way at a time."


# --- 08.4: two calls that race ---------------------------------------------------------------

_PATIENCE = 0.15  # seconds until we believe that the other call is kept out by a lock of their own
_PAUSE = 0.25  # seconds for it to come in, at each line of the first
_START, _FIRST_PAID, _SECOND_PAID = 100, 30, 12
_DEADLINE = 5.0  # seconds for two deposits


class _Stuck(Exception):
    """A call has ended and its lock is still taken, with the other call waiting for it."""


class _StagedLock:
    """A lock that is handed over in order of arrival, and tells the account who waits for it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.holder: int | None = None
        self.waiting: deque[int] = deque()
        self.taken = 0  # how often
        self.closed = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        me = threading.get_ident()
        with self.changed:
            if self.holder == me:
                raise RuntimeError("this call holds the lock already, and would wait for itself")
            if self.holder is not None and not blocking:
                return False
            self.taken += 1
            if self.holder is None and not self.waiting:
                self.holder = me
                return True
            self.waiting.append(me)
            self.changed.notify_all()
            in_time = self.changed.wait_for(
                lambda: self.holder == me or self.closed, None if timeout < 0 else timeout
            )
            if not in_time:
                self.waiting.remove(me)
            elif self.closed:
                raise RuntimeError("the lock was never released")
            return in_time

    def release(self) -> None:
        with self.changed:
            if self.holder is None:
                raise RuntimeError("release of a lock that nobody has taken")
            self.holder = self.waiting.popleft() if self.waiting else None
            self.changed.notify_all()

    def locked(self) -> bool:
        return self.holder is not None

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def __enter__(self) -> "_StagedLock":
        self.acquire()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()


class _StagedAccount:
    """An account whose first reader is held up until the other call has read as well.

    Or until that is seen to be impossible: it waits for the account's lock, or may not run now.
    """

    def __init__(self, calls: int) -> None:
        self.lock = _StagedLock()
        self.one_at_a_time = True  # as long as the registry is made
        self.total = _START
        self._calls = calls
        self.readers: set[int] = set()  # their threads
        self.taken_before = 0  # how often the lock was taken while the registry was made
        self.was_touched = False  # by a call

    def begin(self) -> None:
        """From here on it is the calls that read and write."""
        self.readers.clear()
        self.taken_before, self.lock.taken = self.lock.taken, 0
        self.was_touched = False

    def __repr__(self) -> str:
        return "account"

    @property
    def balance(self) -> int:
        me = threading.get_ident()
        self.was_touched = True
        with self.lock.changed:
            balance, first = self.total, not self.readers
            self.readers.add(me)
            self.lock.changed.notify_all()
            unsure = first and not self.one_at_a_time
            if unsure and not self.lock.changed.wait_for(self._other_is_held_up, _PATIENCE):
                self._slow_down(sys._getframe(1))
        return balance

    @balance.setter
    def balance(self, amount: int) -> None:
        self.was_touched = True
        self.total = amount

    def _other_is_held_up(self) -> bool:
        return len(self.readers) >= self._calls or bool(self.lock.waiting)

    def _slow_down(self, frame: Any) -> None:
        """Pause before each further line of a call: the other may wait for a lock of their own."""

        def pause(where: Any, event: str, _: Any) -> Any:
            if where is not frame:
                return None
            with self.lock.changed:
                held_up = self.lock.changed.wait_for(self._other_is_held_up, _PAUSE)
            if held_up or event == "return":
                sys.settrace(None)
            return None if held_up else pause

        frame.f_trace = pause
        sys.settrace(pause)


def _race(make: Callable[..., Any]) -> None:
    account, registry, _ = _deposit(make, [_FIRST_PAID, _SECOND_PAID])
    alone, _, results = _deposit(make, [_FIRST_PAID])
    if alone.total != _START + _FIRST_PAID:
        raise Wrong(
            f"one deposit of {_FIRST_PAID} alone, in an account of {_START}, leaves {alone.total}: "
            f"it should be {_START + _FIRST_PAID}."
        )
    expected = _START + _FIRST_PAID + _SECOND_PAID
    if account.total != expected:
        raise Wrong(
            f"{_START} in the account, {_FIRST_PAID} and {_SECOND_PAID} paid in at the same time: "
            f"{account.total} are left, not {expected}. {_why_lost(account, registry)}"
        )
    if results[0].output != alone.total:
        raise Wrong(
            f"one deposit of {_FIRST_PAID} alone gives {shown(results[0].output)}; like that of "
            f"racing, it returns the new balance, {alone.total}."
        )


def _why_lost(account: _StagedAccount, registry: ToolRegistry) -> str:
    limit = _limit_of(registry)
    if limit is not None:
        return f"max_concurrency={limit} lets {limit} in at once; how many may be in?"
    if not account.readers:
        return (
            "The balance was read when the registry was made, and no call has read it since: each "
            "call has to read it for itself."
        )
    if account.lock.taken:
        return (
            "The account's lock is taken, but not held from the read to the write: what was read "
            "is out of date when it is written."
        )
    both = f"Both calls read {_START} before either wrote, so one deposit is lost."
    if account.taken_before:
        return (
            f"{both} The account's lock is held while the registry is made, and no longer when "
            "the calls run: each call has to take it."
        )
    if _has_a_lock(registry):
        return (
            f"{both} There is a lock, and it doesn't keep the second call out. It has to be the "
            "same one for both calls, and held from the read to the write."
        )
    return f"{both} Nothing keeps the second call out between the read and the write."


def _limit_of(registry: ToolRegistry) -> int | None:
    """The tool's ``max_concurrency``."""
    return registry["deposit"].max_concurrency


def _has_a_lock(registry: ToolRegistry) -> bool:
    """Does the tool's code speak of a lock, or of a context that it enters?"""
    code = getattr(registry["deposit"].fn, "__code__", None)
    names = code.co_names + code.co_freevars + code.co_varnames if code else ()
    words = ("lock", "semaphore", "acquire", "mutex", "condition")
    return any(word in name.lower() for name in names for word in words)


def _deposit(
    make: Callable[..., Any], amounts: list[int]
) -> tuple[_StagedAccount, ToolRegistry, list[ToolResult]]:
    """Pay the amounts in, in one batch; tell what goes wrong with any number of calls."""
    account = _StagedAccount(len(amounts))
    registry = call(make, account)
    if not isinstance(registry, ToolRegistry):
        raise Wrong(f"give the registry, not {shown(registry)}.")
    if "deposit" not in registry:
        raise Wrong(f"the registry has no tool named 'deposit', but {list(registry)}.")
    orders_them = registry["deposit"].writes is not None
    account.one_at_a_time = orders_them or _limit_of(registry) == 1
    account.begin()
    calls = [ToolCall(f"c{n}", "deposit", {"amount": paid}) for n, paid in enumerate(amounts)]

    def ended(result: ToolResult) -> None:
        if account.lock.waiting:  # the one that ended has not handed it over
            raise _Stuck

    try:
        results = execute_parallel(calls, registry, 2, timeout=_DEADLINE, on_result=ended)
    except _Stuck:
        raise Wrong(
            "the first deposit ended and kept the lock, so the second waits for ever. `with "
            "account.lock:` gives it back in any case, also when the tool raises."
        ) from None
    finally:
        account.lock.close()
    for asked, result in zip(calls, results, strict=True):
        if not result.success:
            raise Wrong(f"deposit({asked.arguments['amount']}) gave an error: {result.error}.")
    if not account.was_touched:
        raise Wrong(
            "the deposits of a new account went elsewhere: the registry was made for another one. "
            "Each call of safe makes a registry for the account that it is given."
        )
    return account, registry, results


EXERCISES = {
    "08.1": Exercise(
        title="write the makespan model",
        judge=_makespan,
        notice=(
            f"Checked on {len(_CASES) + 1} batches. None of them went above Graham's bound, "
            "total / workers + (1 - 1 / workers) × longest: a runner that never idles while a "
            "call waits stays below twice the best."
        ),
        hints=(
            "Keep one number for each worker: when is it free again? All begin with 0.",
            "For each call, in the order given: who is free first? Add the call's seconds there.",
            "free.index(min(free)) is the place of the worker that is free first; the makespan is "
            "max(free) at the end.",
        ),
        solution="""
            def predict(durations, workers):
                free = [0.0] * workers
                for seconds in durations:
                    worker = free.index(min(free))
                    free[worker] += seconds
                return max(free)
        """,
    ),
    "08.2": Exercise(
        title="predict a rate limit",
        judge=_service,
        notice=(
            "1.25 s on two. On three and on six the door alone counts: the ninth is let in at "
            "0.8 s and is out at 1.05 s."
        ),
        hints=(
            "Write down when each call is let in: 0.1 s after the one before, and only if a worker "
            "is free to stand there.",
            "On two workers, calls are let in at 0.0, 0.1, 0.25, 0.35, 0.5, … On six, every 0.1 s.",
        ),
        solution="my_seconds = [1.25, 1.05, 1.05]",
        required=False,
    ),
    "08.3": Exercise(
        title="choose workers under a rate limit",
        judge=_rate,
        notice=(
            "A worker too many does no harm here, it waits; one too few leaves a part of the "
            "limit unused. Latency varies, so measure it under load and choose again."
        ),
        hints=(
            "How many calls a second does the limit allow? How many are then on their way at once?",
            "60 seconds make a minute; math.ceil rounds up, and gives an int.",
            "More workers than calls have nothing to do: min(calls, …).",
        ),
        solution="""
            import math

            def workers_for(per_minute, seconds, calls):
                on_their_way = per_minute * seconds / 60
                return min(calls, math.ceil(on_their_way))
        """,
        required=False,
    ),
    "08.4": Exercise(
        title="two deposits, none lost",
        judge=_race,
        notice=(
            "The check held the first call between its read and its write until the second had "
            "read, or could not. max_concurrency=1 keeps the calls of one tool apart, in all "
            "batches; the account's lock also keeps out other tools that take it."
        ),
        hints=(
            "Which two lines must no other deposit come between?",
            "One way: the registry can promise that at most one call of a tool runs at a time.",
            "@registry.tool(max_concurrency=1) is that promise; `with account.lock:` around the "
            "read and the write is the other way.",
        ),
        solution="""
            def safe(account):
                from ptc import ToolRegistry

                registry = ToolRegistry()

                @registry.tool(max_concurrency=1)
                def deposit(amount: int) -> int:
                    balance = account.balance
                    account.balance = balance + amount
                    return account.balance

                return registry
        """,
        required=False,
    ),
}
