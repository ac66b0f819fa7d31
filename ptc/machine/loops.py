"""Event loops for ``async def`` tools: one for each worker thread, so that none hangs the rest."""

import threading
from collections.abc import Awaitable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from .threads import THREADS

if TYPE_CHECKING:
    from .run import CallRun

_here = threading.local()


class _Loop:
    """An event loop that is closed when its thread ends; a new one for each call costs 0.7 ms."""

    def __init__(self) -> None:
        import asyncio

        self.runner = asyncio.Runner()

    def __del__(self) -> None:
        self.runner.close()


def wait_for(awaitable: Awaitable[Any], run: "CallRun") -> Any:
    """What the awaitable gives. It is cancelled when the run is given up, as a thread can't be."""
    import asyncio

    if asyncio._get_running_loop() is not None:  # an executor that runs jobs in a notebook's cell
        return THREADS.submit(copy_context().run, wait_for, awaitable, run).result()
    if not hasattr(_here, "loop"):
        _here.loop = _Loop()
    return _here.loop.runner.run(_finish(awaitable, run), context=copy_context())


async def _finish(awaitable: Awaitable[Any], run: "CallRun") -> Any:
    import asyncio

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    run.on_give_up = lambda: loop.call_soon_threadsafe(task.cancel)
    try:
        if run.given_up:
            raise asyncio.CancelledError
        return await awaitable
    finally:
        run.on_give_up = None
        left_over = asyncio.all_tasks() - {task}
        for other in left_over:
            other.cancel()
        await asyncio.gather(*left_over, return_exceptions=True)
