"""Event loops: the process's own one for ``async def`` tools, and what runs on whose.

One for all, so that a client, a lock or a session that one call made serves the next, in every
batch. It runs in a thread of its own; the worker that runs an async tool waits for it there.
"""

import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import asyncio

_names: "WeakKeyDictionary[asyncio.Task[Any], str]" = WeakKeyDictionary()


class Waiter(Protocol):
    """The call that waits for an awaitable, as far as its loop must know it."""

    given_up: bool

    @property
    def name(self) -> str:
        """The tool's name."""
        ...

    def when_given_up(self, tell: Callable[[], object] | None) -> None:
        """Call ``tell`` once, when nobody waits for the call any more; None: no longer."""
        ...


def blocker(loop: "asyncio.AbstractEventLoop | None", name: str) -> str | None:
    """The async tool, other than that of this name, which holds the loop at this moment."""
    import asyncio

    task = None if loop is None else asyncio.current_task(loop)
    found = None if task is None else _names.get(task)
    return None if found == name else found


def note_task(task: "asyncio.Task[Any]", waiter: Waiter) -> None:
    """The task is that of a call: it is known by the tool's name, and cancelled, once, with it."""
    loop = task.get_loop()
    _names[task] = waiter.name

    def cancel() -> None:
        if not task.cancelling():  # twice would cut short how it cleans up
            task.cancel()

    def tell() -> None:
        try:
            loop.call_soon_threadsafe(cancel)
        except RuntimeError:  # the loop is closed, and the task with it
            pass

    waiter.when_given_up(tell)


def wait_on(loop: "asyncio.AbstractEventLoop", awaitable: Awaitable[Any], waiter: Waiter) -> Any:
    """What the awaitable gives on that loop; for a worker's thread, which waits here meanwhile."""
    context, done = copy_context(), threading.Lock()
    tasks: list[asyncio.Task[Any]] = []
    done.acquire()

    def begin() -> None:
        task = loop.create_task(_finish(awaitable), context=context)
        tasks.append(task)
        task.add_done_callback(lambda _: done.release())
        note_task(task, waiter)

    loop.call_soon_threadsafe(begin)
    done.acquire()
    waiter.when_given_up(None)
    return tasks[0].result()


class ToolLoop:
    """An event loop in a daemon thread, started when the first async tool is called."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread_id: int | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def is_this_thread(self) -> bool:
        """Are we on the loop itself, where waiting for one of its tasks would never end?"""
        return self._thread_id == threading.get_ident()

    def wait_for(self, awaitable: Awaitable[Any], waiter: Waiter) -> Any:
        """What the awaitable gives; for a worker's thread, which waits here meanwhile."""
        import asyncio

        try:
            loop = self.running()
        except RuntimeError:  # a subinterpreter has no daemon threads
            return asyncio.run(_finish(awaitable))
        return wait_on(loop, awaitable, waiter)

    def running(self) -> "asyncio.AbstractEventLoop":
        """The loop, started if it wasn't."""
        import asyncio

        with self._lock:
            if self.loop is None:
                loop = asyncio.new_event_loop()
                live = threading.Thread(
                    target=self._live, args=(loop,), name="ptc-async", daemon=True
                )
                live.start()
                self.loop = loop
            return self.loop

    def _live(self, loop: "asyncio.AbstractEventLoop") -> None:
        import asyncio

        self._thread_id = threading.get_ident()
        asyncio.set_event_loop(loop)
        while True:  # a task that exits, or stops the loop, must not take the other tools with it
            try:
                loop.run_forever()
            except BaseException:
                continue


async def _finish(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def read_all(items: AsyncIterator[Any]) -> list[Any]:
    """All items of an async generator."""
    return [item async for item in items]


TOOL_LOOP = ToolLoop()


def tool_loop() -> "asyncio.AbstractEventLoop":
    """The process's own loop, running: for what has to live where async tools are run."""
    return TOOL_LOOP.running()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=TOOL_LOOP.__init__)
