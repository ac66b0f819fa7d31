"""The process's one event loop for ``async def`` tools.

One for all, so that a client, a lock or a session that one call made serves the next, in every
batch. It runs in a thread of its own; the worker that runs an async tool waits for it there.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable
from contextvars import copy_context
from typing import Any, Protocol
from weakref import WeakKeyDictionary


class Waiter(Protocol):
    """The call that waits for an awaitable, as far as the loop must know it."""

    given_up: bool

    @property
    def name(self) -> str:
        """The tool's name."""
        ...

    def when_given_up(self, tell: Any) -> None:
        """Call ``tell`` once, when nobody waits for the call any more; None: no longer."""
        ...


class ToolLoop:
    """An event loop in a daemon thread, started when the first async tool is called."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id: int | None = None
        self._tools: WeakKeyDictionary[asyncio.Task[Any], str] = WeakKeyDictionary()

    def is_this_thread(self) -> bool:
        """Are we on the loop itself, where waiting for one of its tasks would never end?"""
        return self._thread_id == threading.get_ident()

    def blocker(self, name: str) -> str | None:
        """The async tool, other than that of this name, which holds the loop at this moment."""
        loop = self._loop
        task = None if loop is None else asyncio.current_task(loop)
        found = None if task is None else self._tools.get(task)
        return None if found == name else found

    def wait_for(self, awaitable: Awaitable[Any], waiter: Waiter) -> Any:
        """What the awaitable gives; for a worker's thread, which waits here meanwhile.

        When the waiter is given up, its task is cancelled, once, and cleans up behind it.
        """
        if self.is_this_thread():
            close(awaitable)
            raise RuntimeError("a plain tool on the event loop can't wait for an async one")
        try:
            loop = self._running()
        except RuntimeError:  # a subinterpreter has no daemon threads
            return asyncio.run(_finish(awaitable))
        context, done, tasks = copy_context(), threading.Lock(), []
        done.acquire()

        def begin() -> None:
            task = loop.create_task(_finish(awaitable), context=context)
            tasks.append(task)
            self._tools[task] = waiter.name
            task.add_done_callback(lambda _: done.release())
            waiter.when_given_up(lambda: loop.call_soon_threadsafe(task.cancel))

        loop.call_soon_threadsafe(begin)
        done.acquire()
        waiter.when_given_up(None)
        return tasks[0].result()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(
                    target=self._live, args=(loop,), name="ptc-async", daemon=True
                )
                thread.start()
                self._loop = loop
            return self._loop

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
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


def close(awaitable: object) -> None:
    """End a coroutine that never ran, which would be warned of otherwise."""
    end = getattr(awaitable, "close", None)
    if end is not None:
        end()


TOOL_LOOP = ToolLoop()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=TOOL_LOOP.__init__)
