"""The caller's thread waits for a batch: what it does meanwhile, and what an interrupt may cut off.

A signal's handler runs in the main thread, when a call has returned or a loop goes round. Whatever
stands here may therefore end at any such moment, and nothing here changes what others rely on: it
hands jobs to the keeper, reads, and counts what it has told.
"""

from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from queue import Empty
from time import perf_counter

from ..calls import ToolResult
from .batch import Batch
from .keeper import KEEPER
from .loops import TOOL_LOOP
from .state import CallState

# Ctrl-C on Windows and interrupt_main() anywhere don't wake a thread that waits, so wake by chance.
_LONGEST_WAIT = 0.05
_WAITS_BETWEEN_CHECKS = 10


def run(batch: Batch, on_result: Callable[[ToolResult], object] | None = None) -> list[ToolResult]:
    """All results, in request order, once the last is there or the time is over.

    ``on_result`` is called for each as it ends. Whatever it raises, and any interrupt, comes
    through, after the rest has been given up.
    """
    if TOOL_LOOP.is_this_thread():
        raise RuntimeError(
            "an async tool can't wait here for other tools: it would hold the event loop that "
            "they run on; await ptc.aio.execute_parallel(…) instead"
        )
    batch.listened_to = on_result is not None
    try:
        KEEPER.jobs.put(batch.begin)
        KEEPER.ensure_alive()
        while not batch.is_done():
            for state in next_news(batch):
                result = batch.news_of(state)
                if on_result is not None and result is not None:
                    on_result(result)
    finally:
        # Whatever interrupt brought us here or comes now: `over` is set, and the keeper is told.
        batch.over = True
        if batch.open or batch.runner.must_close:
            KEEPER.jobs.put(batch.finish)
            _wait_until_nothing_starts(batch)
    if batch.error is not None:
        raise batch.error
    return batch.take_results()


def check_listener(on_result: object) -> None:
    """Raise TypeError for one that nobody would await here."""
    if iscoroutinefunction(on_result):
        raise TypeError(
            f"on_result={on_result!r} is async, and would never be awaited here; give a plain "
            "function, or await ptc.aio.execute_parallel(…)"
        )


def next_news(batch: Batch) -> Iterable[CallState]:
    """The next call that has its answer, if it comes in time; all such, if nobody tells us."""
    left = min(batch.timeout, batch.deadlines.next) - (perf_counter() - batch.began)
    if left <= 0:
        KEEPER.jobs.put(batch.give_up_late)
        left = _LONGEST_WAIT
    try:
        state = batch.news.get(timeout=min(left, _LONGEST_WAIT))
    except Empty:
        batch.waits += 1
        if batch.waits % _WAITS_BETWEEN_CHECKS == 0:
            KEEPER.jobs.put(batch.look_after_workers)
            KEEPER.ensure_alive()
        return [] if batch.open else batch.untold()
    return [] if state is None else [state]


def _wait_until_nothing_starts(batch: Batch) -> None:
    """After an interrupt, a moment for the keeper; another interrupt ends that as well."""
    deadline = perf_counter() + 1.0
    while batch.open and not batch.ended and perf_counter() < deadline:
        try:
            batch.news.get(timeout=_LONGEST_WAIT)
        except Empty:
            KEEPER.ensure_alive()
