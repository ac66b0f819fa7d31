"""A call that travels: packed for another process, run there, and reported as a plain result."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from .calls import ToolCall, ToolResult
from .registry import Tool
from .retry import RetryPolicy
from .run import CallRun
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


def run_job(job: Job, worker: str | None = None) -> Report:
    """Run a job where it has arrived, for as long as its timeout allows.

    ``worker`` names who does, by default after the process or the thread.
    """
    clock_zero, zero = perf_counter(), time.time()
    run = CallRun(job.call, job.retry, clock_zero)
    run.tool, run.arguments, run.worker = job.tool, job.arguments, worker or _worker_name()
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
