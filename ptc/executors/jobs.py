"""A call that travels: packed for another process, run there, and reported as a plain result."""

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from ..calls import ToolCall, ToolResult
from ..machine.run import CallRun
from ..machine.threads import THREADS
from ..registry import Tool
from ..retry import RetryPolicy


@dataclass
class Job:
    """A call as it travels. Its context stays behind when it is pickled: that tells who ran it.

    ``left`` is the batch's time in seconds, from the job's start on, and ``expires`` its deadline
    by the wall clock, for who shares the caller's; None for none.
    """

    call: ToolCall
    tool: Tool
    arguments: dict[str, Any]
    retry: RetryPolicy
    left: float | None = None
    expires: float | None = None
    context: Context | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"context": None}


@dataclass
class Report:
    """A result as it travels back, its times in seconds since ``zero``, a time of day.

    Only if the job ran in the caller's process: ``clock_zero``, the same moment on the caller's
    own clock, and ``running``, an abandoned call as it goes on.
    """

    result: ToolResult
    zero: float
    clock_zero: float | None
    running: Future | None = None


def run_job(job: Job, worker: str | None = None) -> Report:
    """Run a job where it has arrived, for as long as its timeout allows.

    ``worker`` names who does, by default after the process, the interpreter or the thread.
    """
    clock_zero, zero = perf_counter(), time.time()
    run = CallRun(job.call, job.retry, clock_zero)
    run.tool, run.arguments, run.worker = job.tool, job.arguments, worker or _worker_name()
    limits = [job.tool.timeout, job.left, None if job.expires is None else job.expires - zero]
    limit = min((seconds for seconds in limits if seconds is not None), default=None)
    execute = run.execute if job.context is None else partial(job.context.run, run.execute)
    here, running = job.context is not None, None
    if limit is None:
        result = execute()
    elif limit <= 0:
        result = run.give_up("not started within the batch's timeout; ask again if it is needed")
    else:
        result, running = _within(limit, execute, run)
    return Report(result, zero, clock_zero if here else None, running if here else None)


def _within(
    limit: float, execute: Callable[[], ToolResult], run: CallRun
) -> tuple[ToolResult, Future | None]:
    """The result, and what still runs if it was given up."""
    future = _start(execute)
    try:
        return future.result(limit), None
    except FutureTimeoutError:
        why = (
            f"no answer within {limit:.3g} s; abandoned: it can't be stopped by force, so it "
            "may still take effect; check that before you repeat it"
        )
        return run.give_up(why), future


def _start(execute: Callable[[], ToolResult]) -> Future:
    if not _interpreter():
        return THREADS.submit(execute)
    future: Future = Future()  # no interpreter but the main one may have daemon threads
    threading.Thread(target=lambda: future.set_result(execute())).start()
    return future


def _interpreter() -> int:
    """The number of the interpreter that runs this; 0 for a process's main one."""
    if sys.version_info < (3, 14):
        return 0
    from concurrent import interpreters

    return interpreters.get_current().id


def _worker_name() -> str:
    process = multiprocessing.current_process()
    if process.name != "MainProcess":
        return process.name
    number = _interpreter()
    return f"interpreter-{number}" if number else threading.current_thread().name
