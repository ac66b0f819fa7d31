"""A batch on somebody else's executor: a process pool, a cluster, another thread pool.

A start can't be seen from here, so a call's timeout travels with it and is kept where it runs. The
caller's thread hands jobs over and takes results in; only text and plain results come back.

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
max_concurrency              until it ends   until it ends   until given up  until given up
a killed worker              –               –               errors          run again elsewhere
a call is run                once at most    once at most    once at most    at least once
not idempotent               run             run             run             refused, or
                                                                             :func:`at_least_once`
===========================  ==============  ==============  ==============  ====================

"Once at most" leaves our own retries of idempotent tools aside. A killed worker breaks a process
pool for good: each of its unfinished calls gets an error. loky is a process pool that takes any
tool, by cloudpickle. Python 3.14's interpreters hold what processes hold, but can't be killed: what
hangs in one keeps its pool from being shut down. They can't import numpy or pydantic (as of 2026),
so a tool for them stands in a module that doesn't. When a Dask client is closed, what is open gets
an error; a cluster that is lost as a whole may never say so: give the batch a timeout.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

from ..calls import ToolCall, ToolResult
from ..machine.batch import Batch
from ..machine.run import CallRun
from ..machine.threads import THREADS
from ..registry import Tool, ToolRegistry
from ..retry import RetryPolicy
from ..text import explain
from . import dask as cluster
from .dask import failed
from .jobs import Job, Report, run_job

_CLOSED = "the end of its executor's client"


class AtLeastOnce(Executor):
    """An executor whose user accepts that a call may be run more than once."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        return self.executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing: whoever made the executor inside ends it."""


def at_least_once(executor: Executor) -> Executor:
    """The same executor, for tools that aren't idempotent too.

    Dask runs the calls of a lost worker again. Without this, a tool that isn't idempotent is
    refused there; with it, such a tool has to tell by itself that it was here before.
    """
    return AtLeastOnce(executor)


class ExecutorBatch(Batch):
    """A batch whose lanes are the futures of an executor that isn't ours."""

    def __init__(
        self,
        calls: Iterable[ToolCall],
        registry: ToolRegistry,
        workers: int | None,
        retry: RetryPolicy,
        timeout: float | None,
        executor: Executor,
    ) -> None:
        accepted = isinstance(executor, AtLeastOnce)
        self.executor = executor.executor if accepted else executor
        self.dask = cluster.Dask(self.executor) if cluster.is_dask(self.executor) else None
        self.repeats = self.dask and not accepted  # what must not be repeated is refused
        if self.dask and self.dask.is_closed:
            raise RuntimeError("the executor's client is closed; make a new client and executor")
        super().__init__(calls, registry, workers, retry, timeout)
        self.began_at = time.time()
        self.to_start = 0  # calls
        self.arrived: list[tuple[CallRun, Future]] = []
        self.futures: dict[CallRun, Future] = {}
        self.unwanted: list[Future] = []
        self.running: dict[CallRun, Future] = {}  # abandoned, in this process
        self.lost = False  # nothing arrives any more
        self.tools: dict[str, Tool] = {}  # as they travel

    def _prepare(self, run: CallRun) -> None:
        super()._prepare(run)
        if run.result is None and self.repeats and not run.tool.idempotent:
            run.result = run.fail(cluster.NOT_REPEATABLE.format(name=run.call.name))

    def run(self, tell: Callable[[ToolResult], object] | None = None) -> list[ToolResult]:
        try:
            return super().run(tell)
        finally:
            self._work_here()  # what arrived at the last moment gives its place back
            self.futures.clear()  # each knows this batch, and must not keep its output alive

    def _start_worker(self) -> None:
        self.to_start += 1
        self.changed.notify()

    def _has_work_here(self) -> bool:
        closed = self.dask and self.dask.is_closed and not self.lost
        return bool(self.to_start or self.arrived or closed)

    def _work_here(self) -> None:
        with self.lock:
            lanes: list[int | None] = [None] * self.to_start
            self.to_start = 0
            arrived, self.arrived = self.arrived, []
        for run, future in arrived:
            self.futures.pop(run, None)  # a cluster keeps an output for as long as it is asked for
            if self._settle(run, self._result_of(run, future)):
                lanes.append(run.lane)
        if self.dask and self.dask.is_closed:
            self._lose_the_rest()
        if runs := [run for lane in lanes if (run := self._next(lane))]:
            self._submit(runs)

    def _lose_the_rest(self) -> None:
        """Answer what is open: a client that was closed ends no future, and starts none."""
        with self.lock:
            self.lost = True
            lost = self.futures.keys() - {run for run, _ in self.arrived}
        self._give_up(self.runs, _CLOSED, last=True)
        for run in lost:
            if run.tool.places:
                run.tool.places.give_back(abandoned=True)

    def _submit(self, runs: Sequence[CallRun]) -> None:
        now = perf_counter() - self.began
        for run in runs:
            run.submitted = now
        jobs = [self._job(run) for run in runs]
        futures = self.dask.submit(jobs) if self.dask else map(self._submit_one, jobs)
        for run, future in zip(runs, futures, strict=True):
            self.futures[run] = future
            future.add_done_callback(partial(self._arrive, run))

    def _submit_one(self, job: Job) -> Future:
        try:
            return self.executor.submit(run_job, job)
        except BrokenExecutor as error:
            return failed(error)

    def _job(self, run: CallRun) -> Job:
        name = run.call.name
        if name not in self.tools:
            bare = {"validate": None, "places": None, "expected_seconds": None, "schema": {}}
            bare |= {"defaults": {}, "bound": {}}  # which may not be picklable
            self.tools[name] = replace(run.tool, **bare)
        job = Job(run.call, self.tools[name], run.arguments, run.retry, context=run.context)
        if self.timeout < math.inf and self.dask:  # its workers' clocks may differ from ours
            job.left = self.timeout - run.submitted
        elif self.timeout < math.inf:
            job.expires = self.began_at + self.timeout
        return job

    def _arrive(self, run: CallRun, future: Future) -> None:
        """In whichever thread the executor has for this; the caller's thread does the rest."""
        with self.lock:
            if self.lost:
                return
            wanted = run.result is None
            if wanted:
                self.arrived.append((run, future))
                if self._is_urgent(run):
                    self.changed.notify()
        if run.tool.places and not wanted:
            if not (self.dask or future.cancelled() or future.exception()):
                self._note_running(run, future.result())
            self._give_place_back(run, in_time=False)

    def _note_running(self, run: CallRun, report: Report) -> None:
        """Does an abandoned call go on in this process? Its place is its own until it ends."""
        if run.tool.places and report.running:
            self.running[run] = report.running

    def _give_place_back(self, run: CallRun, in_time: bool) -> None:
        running = self.running.pop(run, None)
        if running is None:
            super()._give_place_back(run, in_time)
            return
        places = run.tool.places
        if in_time:
            places.abandon()
        running.add_done_callback(lambda _: places.give_back(abandoned=True))

    def _is_urgent(self, run: CallRun) -> bool:
        """Must an arrival wake the caller's thread? Others wait some ms, and are taken together."""
        last = len(self.arrived) >= self.open
        return last or self.listened_to or bool(self.ready or run.tool.places)

    def _note_start(self, run: CallRun) -> None:
        run.started = perf_counter() - self.began

    def _give_up(self, runs: Sequence[CallRun], limit: str, last: bool = False) -> None:
        super()._give_up(runs, limit, last)
        unwanted, self.unwanted = self.unwanted, []
        if unwanted:
            THREADS.submit(self.dask.cancel, unwanted)

    def _answer_for(self, run: CallRun, limit: str) -> bool:
        future = self.futures.get(run)
        if run.result is None and future is not None:
            if self.dask:  # it asks the scheduler, and cancels what runs as well
                self.unwanted.append(future)
            else:
                future.cancel()
        return super()._answer_for(run, limit)

    def _why_not(self, run: CallRun, limit: str) -> str:
        future = self.futures.get(run)
        if limit is _CLOSED:
            return "its executor's client was closed meanwhile; check before you repeat it"
        if limit != "interrupted" and future is not None and future.cancelled():
            return f"not started within {limit}; ask for it again if it is still needed"
        return super()._why_not(run, limit)

    def _result_of(self, run: CallRun, future: Future) -> ToolResult:
        try:
            report = cluster.unpack(future.result()) if self.dask else future.result()
        except CancelledError:
            return run.fail("its executor cancelled it; check before you repeat it")
        except Exception as error:
            lost = cluster.why_lost(error)
            if lost or isinstance(error, BrokenExecutor):
                why = lost or explain(error)
                return run.fail(f"its worker is gone ({why}); check before you repeat it")
            return run.fail(
                f"the executor could not run it: {explain(error)}; a tool for another process is "
                "a function at the top level of a module, and so is what it takes and returns"
            )
        self._note_running(run, report)
        return self._on_our_clock(run, report)

    def _on_our_clock(self, run: CallRun, report: Report) -> ToolResult:
        """The result with its times since our batch began, within [submitted, now]."""
        now, result = perf_counter() - self.began, report.result
        if report.clock_zero is not None:
            start = report.clock_zero - self.began
        else:
            start = max(report.zero - self.began_at, run.submitted)
            start = min(start, now - result.finished)

        def here(seconds: float) -> float:
            return min(max(start + seconds, run.submitted), now)

        attempts = tuple(
            attempt._replace(started=here(attempt.started), finished=here(attempt.finished))
            for attempt in result.attempts
        )
        return replace(
            result,
            call=run.call,
            attempts=attempts,
            submitted=run.submitted,
            finished=here(result.finished),
        )
