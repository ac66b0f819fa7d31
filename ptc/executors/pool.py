"""A batch on somebody else's executor: a process pool, another thread pool, an interpreter pool.

A start can't be seen from here, so a call's timeout travels with it and is kept where it runs. A
clerk, one thread for each batch, hands jobs over and takes reports in; only text and plain results
come back.

===========================  ==============  ==============  ==============  ====================
what holds                   our threads     other threads   processes       Dask
===========================  ==============  ==============  ==============  ====================
one answer a call, in order  yes             yes             yes             yes
failures are isolated        yes             yes             yes             yes
equal calls                  run each        run each        run each        run each
retry                        yes             yes             there           there
a tool's timeout counts      from its start  from its start  from its start  from its start there
the batch's timeout          yes             yes             yes             yes
tools                        any             any             by their name   any (cloudpickle)
context variables            a copy each     a copy each     none            none
the attempt's worker         its lane        its thread      its process     its worker's address
times                        measured        measured        its duration, on our clock (both)
an abandoned call frees      its worker      its worker      its worker      its worker
permits and resources        until it ends   until it ends   until given up  until given up
conflicting calls            in order        in order        in order        in order
a killed worker              –               –               errors          run again elsewhere
a call is run                at most once    at most once    at most once    at least once
not idempotent               run             run             run             refused, or
                                                                             :func:`at_least_once`
===========================  ==============  ==============  ==============  ====================

"At most once" leaves our own retries of idempotent tools aside. A killed worker breaks a process
pool for good: each of its unfinished calls gets an error, and so does each that is left when an
executor is shut down in the middle of a batch. loky is a process pool that takes any tool, by
cloudpickle. Python 3.14's interpreters hold what processes hold, but can't be killed: what hangs in
one keeps its pool from being shut down. They can't import numpy or pydantic (as of 2026), so a tool
for them stands in a module that doesn't. When a Dask client is closed, what is open gets an error;
a cluster that is lost as a whole may never say so: give the batch a timeout.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, NamedTuple

from ..calls import ToolResult
from ..machine import reasons
from ..machine.batch import Batch
from ..machine.keeper import KEEPER
from ..machine.runners import Worker
from ..machine.state import CallState
from ..machine.threads import THREADS
from ..registry import Tool
from ..text import explain
from .jobs import Job, Report, run_job

_LONGEST_WAIT = 0.02  # seconds until the clerk looks up: a Dask client may have been closed
AWAY = "check what it did before you repeat it"


class Arrival(NamedTuple):
    """The future of a call has ended, in whichever way."""

    state: CallState
    future: "Future[Any]"


class PoolRunner:
    """The runner on an executor: what the clerk has handed over, and what came back.

    ``_workers`` is the clerk's own, and ``_futures`` written by it alone. What other threads have
    to say to it goes through ``_events``: a call of ``put`` that no signal can cut in two.

    *A call that was given up is not handed over, or taken back.* Whether it is still wanted is
    looked at under the batch's lock before, and once more when its future is known: whoever gives
    it up meanwhile, under that lock too, finds the future or is seen there.
    """

    sees_starts = False
    must_close = True
    batch: Batch

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self._events: SimpleQueue[Arrival | None] = SimpleQueue()
        self._futures: dict[CallState, Future[Any]] = {}
        self._workers: dict[CallState, Worker] = {}
        self._tools: dict[Tool, Tool] = {}  # as they travel
        self._wanted = 0  # workers, under the batch's lock
        self._submitting: CallState | None = None
        self._closed = False
        self._used = False

    # What the batch asks for.

    def begin(self) -> None:
        THREADS.start_in_time(self._clerk, self._leave_all)

    def _leave_all(self, error: RuntimeError) -> None:
        """There is no thread for the clerk."""
        self.batch.give_up_all(reasons.no_threads())

    def refuse(self, tool: Tool) -> str | None:
        return None

    def start_worker(self) -> None:
        self._wanted += 1
        self._events.put(None)

    def stop(self, state: CallState) -> bool:
        future = self._futures.get(state)
        if future is None:
            return state is self._submitting
        return not future.cancel()

    def flush(self) -> None:
        """Nothing: each was stopped on its own."""

    def close(self) -> None:
        self._closed = True
        self._events.put(None)

    # The clerk.

    def _clerk(self) -> None:
        try:
            while not self._closed:
                arrived = self._next_arrivals()
                self._hand_over([state for each in arrived if (state := self._take_in(each))])
        except BaseException as error:
            self.batch.fail(error)
            raise
        self._futures.clear()  # each knows this batch, and must not keep its outputs alive
        self._workers.clear()
        KEEPER.jobs.put(self._take_in_the_late)

    def _next_arrivals(self) -> list[Arrival]:
        """Those that have come in, as many as there are; none after a little while."""
        try:
            events = [self._events.get(timeout=_LONGEST_WAIT)]
        except Empty:
            return []
        while not self._events.empty():
            events.append(self._events.get())
        return [event for event in events if event is not None]

    def _hand_over(self, next_ones: list[CallState]) -> None:
        """Hand over these calls, and as many more as there are workers for."""
        with self.batch.lock:
            wanted, self._wanted = self._wanted, 0
        for _ in range(wanted):
            worker = Worker()
            state = self.batch.take(worker)
            if state is not None:
                self._workers[state] = worker
                next_ones.append(state)
        if next_ones:
            self._submit(next_ones)
            self.flush()  # for those that were given up meanwhile

    def _submit(self, states: Sequence[CallState]) -> None:
        for state in self._wanted_of(states):
            self._note_future(state, self._submit_one(self._job(state)))
            self._submitting = None

    def _wanted_of(self, states: Sequence[CallState]) -> Iterator[CallState]:
        """Those that somebody still waits for, one by one; the others give back what they hold."""
        for state in states:
            if self._is_wanted(state):
                yield state
            else:
                self._let_go(state)

    def _is_wanted(self, state: CallState) -> bool:
        """Does somebody still wait for a call that is about to be handed over?"""
        with self.batch.lock:
            is_wanted = state.result is None and not self.batch.over
            self._submitting = state if is_wanted else None
            return is_wanted

    def _submit_one(self, job: Job) -> "Future[Any]":
        try:
            future = self.executor.submit(run_job, job)
        except BrokenExecutor as error:
            return failed(error)
        except Exception as error:
            if not self._used and "new thread" not in str(error):  # wrong use, and not bad luck
                self.batch.fail(error)
            return failed(error)
        self._used = True
        return future

    def _note_future(self, state: CallState, future: "Future[Any]") -> None:
        with self.batch.lock:
            self._futures[state] = future
            is_wanted = state.result is None
        future.add_done_callback(partial(self._arrive, state))
        if not is_wanted:
            self.stop(state)

    def _arrive(self, state: CallState, future: "Future[Any]") -> None:
        """In whichever thread the executor has for this; the clerk does the rest."""
        self._events.put(Arrival(state, future))
        if self._closed:
            KEEPER.jobs.put(self._take_in_the_late)

    def _take_in(self, arrival: Arrival) -> CallState | None:
        """Store the result of a future that has ended; the call that its worker takes next."""
        state = arrival.state
        self._futures.pop(state, None)
        worker = self._workers.pop(state, None)
        report = self._report_of(arrival.future)
        result = report if isinstance(report, str) else self._on_our_clock(state, report)
        running = None if isinstance(report, str) else report.running
        if worker is None or state.result is not None:
            self._let_go(state, running)
            return None
        answer = state.fail(result) if isinstance(result, str) else result
        next_one = self.batch.settle(worker, answer, running)
        if next_one is not None:
            self._workers[next_one] = worker
        return next_one

    def _let_go(self, state: CallState, running: "Future[Any] | None" = None) -> None:
        """A call that was given up has ended; if it goes on in this process, not before that."""
        if state.needs is None:
            return
        if running is None:
            self.batch.let_go(state)
        else:
            running.add_done_callback(lambda _: KEEPER.jobs.put(partial(self.batch.let_go, state)))

    def _take_in_the_late(self) -> None:
        """In the keeper's thread, when the clerk has gone home."""
        while True:
            try:
                event = self._events.get_nowait()
            except Empty:
                return
            if event is not None:
                report = self._report_of(event.future)
                self._let_go(event.state, None if isinstance(report, str) else report.running)

    def _job(self, state: CallState) -> Job:
        tool = state.tool
        if tool not in self._tools:
            self._tools[tool] = replace(
                tool,
                validate=_unchecked,
                expected_seconds=None,
                schema={},
                reads=None,
                writes=None,
                defaults={},
                bound={},
            )
        state.submitted = perf_counter() - self.batch.began
        job = Job(
            state.call,
            self._tools[tool],
            state.arguments,
            state.retry,
            submitted=state.submitted,
            context=state.context,
            parent=state,
        )
        state.context = None  # the job's now, which holds this state: no circle is left
        if self.batch.timeout < math.inf:
            self._limit(job)
        return job

    def _limit(self, job: Job) -> None:
        """Have the batch's timeout travel along, as a time of day: both have one clock for that."""
        job.expires = self.batch.moment.wall + self.batch.timeout

    def _report_of(self, future: "Future[Any]") -> Report | str:
        """What came back, or why nothing did."""
        try:
            return self._unpack(future.result())
        except CancelledError:
            return f"its executor cancelled it; {AWAY}"
        except Exception as error:
            lost = self._why_lost(error)
            if lost is not None:
                return f"its worker is gone ({lost}); {AWAY}"
            if isinstance(error, RuntimeError) and "shutdown" in str(error):
                return f"not started: its executor was shut down meanwhile ({explain(error)})"
            return (
                f"the executor could not run it: {explain(error)}; a tool for another process is "
                "a function at the top level of a module, and so is what it takes and returns"
            )

    def _unpack(self, returned: Any) -> Report:
        return returned

    def _why_lost(self, error: Exception) -> str | None:
        return explain(error) if isinstance(error, BrokenExecutor) else None

    def _on_our_clock(self, state: CallState, report: Report) -> ToolResult:
        """The result with its times since our batch began, within [submitted, now]."""
        now, result = perf_counter() - self.batch.began, report.result
        if report.here:
            start = report.began.clock - self.batch.began
        else:
            start = max(report.began.wall - self.batch.moment.wall, state.submitted)
            start = min(start, now - result.finished)

        def here(seconds: float) -> float:
            return min(max(start + seconds, state.submitted), now)

        attempts = tuple(
            attempt._replace(started=here(attempt.started), finished=here(attempt.finished))
            for attempt in result.attempts
        )
        return replace(
            result,
            call=state.call,
            attempts=attempts,
            submitted=state.submitted,
            finished=here(result.finished),
        )


def _unchecked(arguments: dict[str, Any]) -> dict[str, Any]:
    """In place of a tool's checks, which stay at home: they were made before the job left."""
    return arguments


def failed(error: BaseException) -> "Future[Any]":
    """A future that ended with that error."""
    future: Future[Any] = Future()
    future.set_exception(error)
    return future
