"""A call that travels: packed for another process, run there, and reported as a plain result."""

import math
import multiprocessing
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import Context
from dataclasses import dataclass, replace
from typing import Any

from ..calls import ToolCall, ToolResult
from ..machine import reasons
from ..machine.keeper import KEEPER
from ..machine.state import CallState, Moment
from ..machine.threads import THREADS
from ..registry import Tool
from ..retry import RetryPolicy

# The caller gives up first, and takes back what waits: no worker must turn to that before.
_GRACE = 0.05


@dataclass
class Job:
    """A call as it travels. Its context and its caller stay behind when it is pickled.

    That tells who ran it: where they are, it is the caller's own process. ``left`` is the batch's
    time in seconds, from the job's start on, and ``expires`` its deadline by the time of day, for
    who shares the caller's clock; None for none. ``submitted``: seconds since the batch began.
    """

    call: ToolCall
    tool: Tool
    arguments: dict[str, Any]
    retry: RetryPolicy
    submitted: float = 0.0
    left: float | None = None
    expires: float | None = None
    context: Context | None = None
    parent: CallState | None = None

    def without_tool(self) -> "Job":
        """The same, for where the tool travels by itself."""
        return replace(self, tool=None)  # pyright: ignore[reportArgumentType]: until it arrives

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"context": None, "parent": None}


@dataclass
class Report:
    """A result as it travels back; its times are seconds since ``began``.

    ``here``: the job ran in the caller's process, whose clock ``began.clock`` is of. ``running``:
    a call that was abandoned there, as it goes on.
    """

    result: ToolResult
    began: Moment
    here: bool
    running: "Future[Any] | None" = None


def run_job(job: Job, worker: str | None = None) -> Report:
    """Run a job where it has arrived, for as long as its timeout allows.

    ``worker`` names who does, by default after the process, the interpreter or the thread.
    """
    began = Moment.now()
    state = CallState(job.call, job.retry, began.clock)
    state.tool, state.arguments, state.context = job.tool, job.arguments, job.context
    state.parent, state.worker = job.parent, worker or _worker_name()
    here, left, running = job.context is not None, _left(job, began), None
    limit = min(left + _GRACE, job.tool.timeout or math.inf)
    if job.parent is not None and job.parent.is_unwanted():
        result = state.give_up("not started: it was given up before")
    elif left <= 0:
        result = state.give_up("not started within the batch's timeout; ask again if it is needed")
    elif limit == math.inf:
        result = state.run()
    else:
        result, running = _within(limit, state)
    return Report(result, began, here, running if here else None)


def _left(job: Job, began: Moment) -> float:
    """Seconds until the batch is over; infinity for no end."""
    by_clock = math.inf if job.expires is None else job.expires - began.wall
    return min(math.inf if job.left is None else job.left, by_clock)


def _within(limit: float, state: CallState) -> "tuple[ToolResult, Future[Any] | None]":
    """The result, and what still runs if it was given up."""
    future = _start(state.run)
    try:
        return future.result(limit), None
    except FutureTimeoutError:
        return state.give_up(reasons.late(True, f"{limit:.3g} s")), future


def _start(run: Callable[[], ToolResult]) -> "Future[ToolResult]":
    future: Future[ToolResult] = Future()

    def work() -> None:
        try:
            if not future.done():  # else it is called once more
                future.set_result(run())
        except BaseException as error:  # set in this thread from outside
            future.set_exception(error)

    if _interpreter():
        threading.Thread(target=work).start()  # only the main one may have daemon threads
    else:
        THREADS.start(work, future.set_exception)
        KEEPER.ensure_alive()
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
