"""A batch on somebody else's executor: a process pool, a cluster, another thread pool.

A start can't be seen from here, so a call's timeout travels with it and is kept where it runs. The
caller's thread hands jobs over and takes results in; only text and plain results come back.
"""

import math
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import Context
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

from .batch import Batch
from .calls import ToolCall, ToolResult
from .registry import Tool, ToolRegistry
from .retry import RetryPolicy
from .run import CallRun
from .text import explain
from .threads import THREADS


@dataclass
class Job:
    """A call as it travels. Its context stays behind when it is pickled: that tells who ran it.

    ``expires`` is the batch's deadline by the wall clock, None for none.
    """

    call: ToolCall
    tool: Tool
    arguments: dict[str, Any]
    retry: RetryPolicy
    expires: float | None
    context: Context | None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"context": None}


@dataclass
class Report:
    """A result as it travels back, its times in seconds since ``zero``, a time of day.

    ``clock_zero`` is the same moment on the caller's own clock, if the job ran in its process.
    """

    result: ToolResult
    zero: float
    clock_zero: float | None


def run_job(job: Job) -> Report:
    """Run a job where it has arrived, for as long as its timeout allows."""
    clock_zero, zero = perf_counter(), time.time()
    run = CallRun(job.call, job.retry, clock_zero)
    run.tool, run.arguments, run.worker = job.tool, job.arguments, _worker_name()
    left = [] if job.expires is None else [job.expires - zero]
    limit = min(left + ([] if job.tool.timeout is None else [job.tool.timeout]), default=None)
    execute = run.execute if job.context is None else partial(job.context.run, run.execute)
    if limit is not None and limit <= 0:
        result = run.give_up("not started within the batch's timeout; ask again if it is needed")
    elif limit is None:
        result = execute()
    else:
        result = _within(limit, execute, run)
    return Report(result, zero, clock_zero if job.context is not None else None)


def _within(limit: float, execute: Callable[[], ToolResult], run: CallRun) -> ToolResult:
    try:
        return THREADS.submit(execute).result(limit)
    except FutureTimeoutError:
        return run.give_up(
            f"no answer within {limit:.3g} s; abandoned: it can't be stopped by force, so it "
            "may still take effect; check that before you repeat it"
        )


def _worker_name() -> str:
    process = multiprocessing.current_process()
    thread = threading.current_thread()
    return thread.name if process.name == "MainProcess" else process.name


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
        super().__init__(calls, registry, workers, retry, timeout)
        self.executor = executor
        self.began_at = time.time()
        self.to_start = 0  # calls
        self.arrived: list[tuple[CallRun, Future]] = []
        self.futures: dict[CallRun, Future] = {}

    def run(self, tell: Callable[[ToolResult], object] | None = None) -> list[ToolResult]:
        try:
            return super().run(tell)
        finally:
            self._work_here()  # what arrived at the last moment gives its place back

    def _start_worker(self) -> None:
        self.to_start += 1
        self.changed.notify()

    def _has_work_here(self) -> bool:
        return bool(self.to_start or self.arrived)

    def _work_here(self) -> None:
        with self.lock:
            lanes: list[int | None] = [None] * self.to_start
            self.to_start = 0
            arrived, self.arrived = self.arrived, []
        for run, future in arrived:
            if self._settle(run, self._result_of(run, future)):
                lanes.append(run.lane)
        for lane in lanes:
            if run := self._next(lane):
                self._submit(run)

    def _submit(self, run: CallRun) -> None:
        run.submitted = perf_counter() - self.began
        expires = None if self.timeout == math.inf else self.began_at + self.timeout
        tool = replace(run.tool, validate=None, places=None, expected_seconds=None, schema={})
        job = Job(run.call, tool, run.arguments, run.retry, expires, run.context)
        try:
            future = self.executor.submit(run_job, job)
        except BrokenExecutor as error:
            future = Future()
            future.set_exception(error)
        self.futures[run] = future
        future.add_done_callback(partial(self._arrive, run))

    def _arrive(self, run: CallRun, future: Future) -> None:
        """In whichever thread the executor has for this; the caller's thread does the rest."""
        with self.lock:
            wanted = run.result is None
            if wanted:
                self.arrived.append((run, future))
                self.changed.notify()
        if not wanted and run.tool.places:
            run.tool.places.give_back(abandoned=True)

    def _note_start(self, run: CallRun) -> None:
        run.started = perf_counter() - self.began

    def _answer_for(self, run: CallRun, limit: str) -> bool:
        if run.result is None and run in self.futures:
            self.futures[run].cancel()
        return super()._answer_for(run, limit)

    def _why_not(self, run: CallRun, limit: str) -> str:
        if limit != "interrupted" and run in self.futures and self.futures[run].cancelled():
            return f"not started within {limit}; ask for it again if it is still needed"
        return super()._why_not(run, limit)

    def _result_of(self, run: CallRun, future: Future) -> ToolResult:
        try:
            report = future.result()
        except BrokenExecutor as error:
            return run.fail(f"its worker is gone ({explain(error)}); check before you repeat it")
        except (CancelledError, Exception) as error:
            return run.fail(
                f"the executor could not run it: {explain(error)}; a tool for another process is "
                "a function at the top level of a module, and so is what it takes and returns"
            )
        return self._on_our_clock(run, report)

    def _on_our_clock(self, run: CallRun, report: Report) -> ToolResult:
        """The result with its times since our batch began, within [submitted, now]."""
        now, result = perf_counter() - self.began, report.result
        if report.clock_zero is not None:
            start = report.clock_zero - self.began
        else:
            start = min(report.zero - self.began_at, now - result.finished)

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
