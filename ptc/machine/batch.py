"""The machine behind ``execute``: a batch of calls, its lanes, its deadlines.

A batch has as many lanes as it may have workers. A worker runs the next ready call, stores its
answer, and goes on; the caller's thread sleeps until the last answer is there, and wakes earlier
only for a deadline or for somebody who listens.
"""

import heapq
import math
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context, copy_context
from itertools import count
from time import perf_counter

from ..calls import ToolCall, ToolResult
from ..registry import ToolRegistry
from ..retry import RetryPolicy
from ..schemas import ArgumentsError
from ..text import explain
from .run import CallRun
from .threads import THREADS

# Ctrl-C on Windows and interrupt_main() anywhere don't wake a thread that waits, so wake by chance.
_LONGEST_WAIT = 0.05


class Batch:
    """The calls of one reply and what has become of them. ``lock`` guards all of it.

    ``workers=None``: as many as there are calls. Wrong use raises, before anything has started.
    """

    def __init__(
        self,
        calls: Iterable[ToolCall],
        registry: ToolRegistry,
        workers: int | None,
        retry: RetryPolicy,
        timeout: float | None,
    ) -> None:
        self.began = perf_counter()
        calls = list(calls)
        _check_use(calls, registry, timeout)
        self.timeout = math.inf if timeout is None else timeout
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.registry, self.retry, self.workers = registry, retry, workers
        self.runs = [CallRun(call, retry, self.began, self) for call in calls]
        self.news: list[ToolResult] = []  # answered, and not told yet to the one who listens
        self.listened_to = False
        for run in self.runs:
            self._prepare(run)
            if run.result is not None:
                self.news.append(run.result)
        self.ready = deque(run for run in self.runs if run.result is None)
        self.open = len(self.ready)  # calls without an answer
        self.lanes = min(workers or self.open, self.open)
        self.free_lanes = list(range(1, self.lanes + 1))  # a heap
        self.working = 0  # workers, with those that have yet to take their first call
        self.starting = 0  # those alone
        self.expecting = False  # more calls, from a reply that still streams in
        self.over = False  # nothing starts any more
        self.deadlines: list[tuple[float, int, CallRun, bool]] = []  # a heap
        self._ticket = count()

    def _prepare(self, run: CallRun) -> None:
        """Find the tool and check the arguments; a call that can't be run is answered here."""
        call, registry = run.call, self.registry
        if call.problem is not None:
            run.result = run.fail(call.problem)
        elif call.name not in registry:
            run.result = run.fail(f"no tool named {call.name!r}; known: {list(registry)}")
        else:
            run.tool = registry[call.name]
            run.context = copy_context()
            try:
                run.arguments = run.tool.validate(call.arguments)
            except ArgumentsError as error:
                run.result = run.fail(f"{error}; correct them and call again")
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a validator of the tool's author
                run.result = run.fail(f"the arguments can't be checked: {explain(error)}")

    def add(self, call: ToolCall, context: Context) -> CallRun:
        """Take in one more call while the batch is :attr:`expecting` some, in any thread."""
        run = CallRun(call, self.retry, self.began, self)
        context.run(self._prepare, run)
        with self.lock:
            run.submitted = perf_counter() - self.began
            self.runs.append(run)
            self.open += 1
            if run.result is not None:
                self._note(run.result)
            elif self.over:
                run.result = run.give_up("not started: its batch was over")
                self._note(run.result)
            else:
                self._make_ready(run)
        return run

    def _make_ready(self, run: CallRun) -> None:
        self.ready.append(run)
        if self.workers is None or self.lanes < self.workers:
            self.lanes += 1
            heapq.heappush(self.free_lanes, self.lanes)
        self._start_workers()

    def end(self) -> None:
        """No more calls are to come, in any thread."""
        with self.lock:
            self.expecting = False
            self.changed.notify()

    def put_longest_first(self) -> None:
        """Order by ``expected_seconds``; ties, and calls of unknown length, as they were asked."""
        if any(run.tool.expected_seconds is not None for run in self.ready):
            self.ready = deque(sorted(self.ready, key=_expected_seconds, reverse=True))

    def run(self, tell: Callable[[ToolResult], object] | None = None) -> list[ToolResult]:
        """All results, in request order, once the last is there or the time is over.

        ``tell`` is called for each as it ends. Whatever it raises, and any interrupt, comes
        through, after the rest has been given up.
        """
        self.listened_to = tell is not None
        try:
            with self.lock:
                for run in self.ready:
                    run.submitted = perf_counter() - self.began
                self._start_workers()
            while self._wait():
                self._work_here()
                self._give_up_the_late()
                for result in self._take_news():
                    tell(result)
        finally:
            self._give_up(self.runs, "interrupted", last=True)
        runs, self.runs = self.runs, []  # a thread left behind must not keep the results alive
        return [run.result for run in runs]

    # In the caller's thread.

    def _wait(self) -> bool:
        """Wait until there is something to do here; False when all is done and told."""
        with self.lock:
            while not (self._has_work_here() or (self.listened_to and self.news)):
                if not (self.open or self.working or self.expecting):
                    return False
                left = self._next_deadline() - (perf_counter() - self.began)
                if left <= 0:
                    return True
                self.changed.wait(min(left, _LONGEST_WAIT))
            return True

    def _has_work_here(self) -> bool:
        """Has the caller's thread to start or collect anything? Not where workers do it."""
        return False

    def _work_here(self) -> None:
        """Start and collect what only the caller's thread can."""

    def _take_news(self) -> list[ToolResult]:
        with self.lock:
            news, self.news = self.news, []
        return news if self.listened_to else []

    def _next_deadline(self) -> float:
        while self.deadlines and self._is_stale(*self.deadlines[0][2:]):
            heapq.heappop(self.deadlines)
        return min(self.timeout, self.deadlines[0][0] if self.deadlines else math.inf)

    @staticmethod
    def _is_stale(run: CallRun, starved: bool) -> bool:
        return run.result is not None or (starved and run.has_place)

    def _give_up_the_late(self) -> None:
        now = perf_counter() - self.began
        if now >= self.timeout:
            self._give_up(self.runs, f"the batch's timeout of {self.timeout:g} s", last=True)
            return
        with self.lock:
            late = []
            while self._next_deadline() <= now:
                late.append(heapq.heappop(self.deadlines)[2])
        for run in late:
            self._give_up([run], f"its timeout of {run.tool.timeout or 0:g} s")

    def _give_up(self, runs: Sequence[CallRun], limit: str, last: bool = False) -> None:
        """Answer those of the runs that have no answer yet; with ``last``, nothing starts after."""
        if last:
            with self.lock:
                self.expecting, self.over = False, True
                self.ready.clear()
        for run in runs:
            if run.result is None and self._answer_for(run, limit) and run.tool.places:
                self._leave_place(run)

    def _answer_for(self, run: CallRun, limit: str) -> bool:
        with self.lock:
            if run.result is not None:
                return False
            run.result = run.give_up(self._why_not(run, limit))
            self._note(run.result)
            if run.started is not None:
                self._leave(run.lane)
                self._start_workers()
            return True

    def _why_not(self, run: CallRun, limit: str) -> str:
        if limit == "interrupted":
            return "interrupted: the batch was stopped before this call had ended"
        if run.started is not None:
            return (
                f"no answer within {limit}; abandoned: it can't be stopped by force, so it may "
                "still take effect; check that before you repeat it"
            )
        places = run.tool.places
        if places and places.stuck and not run.has_place:
            return (
                f"not started: abandoned calls that have not ended hold all {places.limit} places "
                f"of {run.call.name!r} (max_concurrency); go on without it, or ask again later"
            )
        return f"not started within {limit}; ask for it again if it is still needed"

    def _leave_place(self, run: CallRun) -> None:
        if run.started is not None:
            run.tool.places.abandon()
        elif run.has_place:
            run.tool.places.give_back()
        else:
            run.tool.places.forget(run)

    # In the workers' threads.

    def _work(self) -> None:
        run = self._next()
        while run is not None:
            in_time = self._settle(run, run.context.run(run.execute))
            run = self._next(run.lane) if in_time else None

    def _next(self, lane: int | None = None) -> CallRun | None:
        """The call to start now, on the worker's lane or on the first free one; None for none."""
        with self.lock:
            self.starting -= lane is None
            while self.ready:
                run = self.ready.popleft()
                if run.result is None and (run.tool.places is None or self._has_place(run)):
                    run.lane = heapq.heappop(self.free_lanes) if lane is None else lane
                    self._note_start(run)
                    if lane is None:
                        self._start_workers()
                    return run
            self._leave(lane)
            return None

    def _settle(self, run: CallRun, result: ToolResult) -> bool:
        """Store a result; False if the call was given up meanwhile, and its lane with it."""
        with self.lock:
            in_time = run.result is None
            if in_time:
                run.result = result
                self._note(result)
        if run.tool.places:
            self._give_place_back(run, in_time)
        return in_time

    def _give_place_back(self, run: CallRun, in_time: bool) -> None:
        run.tool.places.give_back(self if in_time else None, abandoned=not in_time)

    # In any thread that holds the lock.

    def _start_workers(self) -> None:
        """A worker for each call that is ready, as long as there are lanes.

        Each that takes its first call makes room for two more to start: many are soon at work, and
        calls that take no time are done before threads have been woken for them in vain.
        """
        at_work = self.working - self.starting
        most = min(len(self.ready), len(self.free_lanes), max(1, at_work))
        while self.starting < most:
            try:
                self._start_worker()
            except RuntimeError:
                if not self.working:
                    raise
                return  # the system gives no more threads: those at work do the rest
            self.starting += 1
            self.working += 1

    def _start_worker(self) -> None:
        THREADS.submit(self._work)

    def _leave(self, lane: int | None) -> None:
        if lane is not None:
            heapq.heappush(self.free_lanes, lane)
        self.working -= 1
        if not self.working:
            self.changed.notify()

    def _note(self, result: ToolResult) -> None:
        self.open -= 1
        if self.listened_to:
            self.news.append(result)
            self.changed.notify()

    def _note_start(self, run: CallRun) -> None:
        run.worker = f"worker-{run.lane}"
        run.started = perf_counter() - self.began
        if run.tool.timeout is not None:
            self._set_deadline(run.started + run.tool.timeout, run, starved=False)

    def _has_place(self, run: CallRun) -> bool:
        places = run.tool.places
        if not run.has_place:
            run.has_place = places.take(run)
            if not run.has_place and places.stuck:
                self._starve(run)
        return run.has_place

    def _starve(self, run: CallRun) -> None:
        """Wait for a place held by abandoned calls as long as the call might have run, no more."""
        patience = run.tool.timeout or (0 if self.timeout == math.inf else math.inf)
        if patience < math.inf:
            self._set_deadline(perf_counter() - self.began + patience, run, starved=True)

    def _set_deadline(self, when: float, run: CallRun, starved: bool) -> None:
        heapq.heappush(self.deadlines, (when, next(self._ticket), run, starved))
        if self.deadlines[0][2] is run:
            self.changed.notify()

    # Called by Places, which holds no lock then.

    def admit(self, run: CallRun, by: "Batch | None") -> bool:
        """Make a run that got its place ready; False if it isn't wanted any more."""
        with self.lock:
            if run.result is not None:
                return False
            run.has_place = True
            self.ready.appendleft(run)
            if by is not self:  # else the worker that gave the place back goes on with it
                self._start_workers()
            return True

    def starve(self, run: CallRun) -> None:
        """A run waits for places that abandoned calls may never give back."""
        with self.lock:
            if run.result is None and not run.has_place:
                self._starve(run)


def _check_use(calls: Sequence[ToolCall], registry: ToolRegistry, timeout: float | None) -> None:
    for call in calls:
        if not isinstance(call, ToolCall):
            raise TypeError(f"{call!r} is no ToolCall; extract_parallel_calls(response) gives them")
    if not isinstance(registry, ToolRegistry):
        raise TypeError(f"registry={registry!r} is no ToolRegistry")
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"timeout={timeout!r} must be 0 seconds or more, or None")


def _expected_seconds(run: CallRun) -> float:
    expected = run.tool.expected_seconds
    try:
        seconds = float(expected(**run.arguments) if callable(expected) else expected or 0)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        warnings.warn(
            f"expected_seconds of {run.call.name!r} gave no number for {run.arguments!r} "
            f"({explain(error)}); counted as 0",
            stacklevel=4,
        )
        return 0.0
    return seconds if seconds > 0 else 0.0
