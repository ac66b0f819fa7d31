"""A batch that is awaited: async tools run on the caller's own loop, plain ones on our threads.

The loop is left alone: checks are made in a thread, starts and answers in the keeper's, and the
loop's part in a call is to run its task. What the loop is told comes through
``call_soon_threadsafe``, many things at a time.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction
from typing import Any, NamedTuple

from ..calls import ToolResult
from ..registry import Tool
from . import reasons
from .batch import Batch
from .keeper import KEEPER, run_safely
from .loops import note_task
from .runners import Worker
from .state import CallState
from .threads import THREADS

_SMALL = 2000  # characters of a text that is an answer as quickly as it is looked at
_LONGEST_SLEEP = 0.5
_MOST_BATCHES = 64  # of plain tools at once on one loop: each has threads of its own

Listener = Callable[[ToolResult], object]


class _Ended(NamedTuple):
    """A task of a call, and the worker whose lane it had."""

    worker: Worker
    state: CallState
    task: "asyncio.Task[Any]"


class Post:
    """Things for a loop to do or see, handed over from other threads, as many as there are.

    ``put`` may be called from any thread. The loop is woken once for all that came meanwhile.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], object]) -> None:
        self._loop, self._wake = loop, wake
        self._things: deque[Any] = deque()
        self._posted = False

    def put(self, thing: Any) -> None:
        self._things.append(thing)
        if not self._posted:
            self._posted = True
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:  # the loop is closed, and nobody waits on it
                pass

    def take(self) -> list[Any]:
        """All that has come. The order matters: what comes from here on wakes the loop anew."""
        self._posted = False
        taken = []
        while self._things:
            taken.append(self._things.popleft())
        return taken


class LoopRunner:
    """The runner on the caller's loop, for async tools, and on our threads, for plain ones."""

    sees_starts = True
    must_close = False
    batch: Batch

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._to_start = Post(loop, self._start_tasks)
        self._ended: deque[_Ended] = deque()
        self._wanted = 0  # workers, under the batch's lock

    def begin(self) -> None:
        """Nothing: the loop runs already."""

    def refuse(self, tool: Tool) -> str | None:
        return None

    def start_worker(self) -> None:
        self._wanted += 1
        if self._wanted == 1:
            KEEPER.jobs.put(self._hand_out)

    def stop(self, state: CallState) -> bool:
        """Had it begun? A task that was posted to a blocked loop has taken no effect yet."""
        begun = state.attempt_started is not None or bool(state.attempts)
        return begun if state.on_loop else state.started is not None

    def flush(self) -> None:
        """Nothing: each task was cancelled on its own."""

    def close(self) -> None:
        """Nothing: tasks end by themselves."""

    # In the keeper's thread.

    def _hand_out(self) -> None:
        with self.batch.lock:
            wanted, self._wanted = self._wanted, 0
        for _ in range(wanted):
            worker = Worker()
            self._go_on(worker, self.batch.take(worker))

    def _go_on(self, worker: Worker, state: CallState | None) -> None:
        """Have the call that the worker took run, where calls of its kind are run."""
        if state is None:
            return
        state.loop = self.loop
        state.on_loop = is_async(state.tool)
        if state.on_loop:
            self._to_start.put((worker, state))
            return
        job = partial(self._run_plain, worker, [state])
        leave = partial(self._leave, worker, state)
        THREADS.start(job, lambda _: THREADS.start_in_time(job, leave))

    def _leave(self, worker: Worker, state: CallState, error: RuntimeError) -> None:
        """There is no thread for it."""
        self._go_on(worker, self.batch.settle(worker, state.fail(reasons.no_threads())))

    def _take_in(self) -> None:
        while self._ended:
            ended = self._ended.popleft()
            job = partial(self._settle, ended)
            if _is_small(ended.task):
                run_safely(job)
            else:
                THREADS.start(job, lambda _, job=job: run_safely(job))

    # In a thread of ours, where an exception may be set from outside at any moment.

    def _settle(self, ended: _Ended) -> None:
        worker, state = ended.worker, ended.state
        try:
            if worker.state is not state:
                return  # settled before, and called once more
            self._go_on(worker, self.batch.settle(worker, state.answer_from(ended.task)))
        except BaseException as error:
            self.batch.bury(worker, error)

    def _run_plain(self, worker: Worker, waiting: list[CallState]) -> None:
        """Run the call that waits; if this is called once more, none does."""
        try:
            while waiting:
                state = waiting.pop()
                worker.adopt_this_thread()
                self._go_on(worker, self.batch.settle(worker, state.run()))
        except BaseException as error:
            self.batch.bury(worker, error)

    # On the loop.

    def _start_tasks(self) -> None:
        for worker, state in self._to_start.take():
            context, state.context = state.context, None
            task = self.loop.create_task(state.run_there(), context=context)
            task.add_done_callback(partial(self._note_end, worker, state))
            note_task(task, state)

    def _note_end(self, worker: Worker, state: CallState, task: "asyncio.Task[Any]") -> None:
        self._ended.append(_Ended(worker, state, task))
        if len(self._ended) == 1:
            KEEPER.jobs.put(self._take_in)


def is_async(tool: Tool) -> bool:
    """Is it an ``async def``, of a function or of an object's ``__call__``?"""
    fn = tool.fn
    while isinstance(fn, partial):
        fn = fn.func
    every = (fn, type(fn).__call__)
    return any(iscoroutinefunction(each) or isasyncgenfunction(each) for each in every)


def _is_small(task: "asyncio.Task[Any]") -> bool:
    """May its answer be made at once, since that takes no time?"""
    if task.cancelled() or task.exception() is not None:
        return True
    output = task.result()
    return (
        output is None
        or isinstance(output, int | float)
        or (isinstance(output, str) and len(output) < _SMALL)
    )


async def off_loop(job: Callable[[], Any]) -> Any:
    """What the job gives, run in a thread of ours in the caller's context."""
    loop, context = asyncio.get_running_loop(), copy_context()
    future: asyncio.Future[Any] = loop.create_future()

    def tell(set_it: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            set_it(value)

    def work() -> None:
        try:
            outcome = (future.set_result, context.run(job))
        except BaseException as error:
            outcome = (future.set_exception, error)
        post(partial(tell, *outcome))

    def post(callback: Callable[[], object]) -> None:
        try:
            loop.call_soon_threadsafe(callback)
        except RuntimeError:  # the loop is closed, and nobody waits on it
            pass

    def work_there(error: RuntimeError) -> None:
        post(work)  # where there is no thread, the loop has to wait

    THREADS.submit(work, work_there)
    while not future.done():
        await asyncio.wait([future], timeout=_LONGEST_SLEEP)
        KEEPER.ensure_alive()
    return future.result()


async def run(batch: Batch, on_result: Listener | None = None) -> list[ToolResult]:
    """All results, in request order; :meth:`Batch.run`, to be awaited on the runner's loop.

    ``on_result`` may be async. Cancelling gives the batch up, and waits for nothing.
    """
    loop, awake = asyncio.get_running_loop(), asyncio.Event()
    news = Post(loop, awake.set)
    batch.news = news
    batch.listened_to = on_result is not None
    try:
        batch.watch_the_clock()
        KEEPER.jobs.put(batch.begin)
        KEEPER.ensure_alive()
        while not batch.is_done():
            timer = loop.call_later(_LONGEST_SLEEP, awake.set)
            await awake.wait()
            timer.cancel()
            awake.clear()
            heard = news.take()
            if not heard:
                KEEPER.jobs.put(batch.look_after_workers)
                KEEPER.ensure_alive()
            for state in heard if batch.open else [*heard, *batch.untold()]:
                result = None if state is None else batch.news_of(state)
                if result is not None and on_result is not None:
                    told = on_result(result)
                    if isawaitable(told):
                        await told
    finally:
        batch.over = True  # nothing is called, and so nothing comes up, before the next line
        if batch.open or batch.runner.must_close:
            KEEPER.jobs.put(batch.finish)
    if batch.error is not None:
        raise batch.error
    return batch.take_results()
