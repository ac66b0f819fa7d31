"""Many calls, each answered once, in the order in which they were asked."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor

from .calls import ToolCall, ToolResult
from .machine.bars import bar_of
from .machine.batch import Batch
from .machine.queues import Order
from .machine.runners import OwnThreads, Runner
from .machine.waiting import check_listener, run
from .registry import ToolRegistry
from .retry import RetryPolicy


def execute_parallel(
    calls: Iterable[ToolCall],
    registry: ToolRegistry,
    max_workers: int = 4,
    *,
    retry: RetryPolicy = RetryPolicy(),
    timeout: float | None = None,
    executor: Executor | None = None,
    on_result: Callable[[ToolResult], object] | None = None,
    progress: bool = False,
) -> list[ToolResult]:
    """Run the calls together; ``results[i]`` answers ``calls[i]``, whatever finished first.

    >>> registry = ToolRegistry()
    >>> @registry.tool
    ... def double(n: int) -> int:
    ...     return 2 * n
    >>> calls = [ToolCall("a", "double", {"n": 1}), ToolCall("b", "double", {"n": 2})]
    >>> [result.output for result in execute_parallel(calls, registry)]
    [2, 4]

    What a model or a tool got wrong (bad arguments, an unknown tool, any exception, a hang) is the
    result of that call alone. ``timeout`` bounds the whole batch, in seconds: what isn't done by
    then is answered with an error, at once. Calls that are expected to take longer start first;
    calls that conflict (their tools' ``reads`` and ``writes``) run in request order. Async tools
    run on one event loop of the process; to use your own, await :mod:`ptc.aio`.
    ``on_result`` is called in this thread for each result as it ends; ``progress`` shows a bar.
    An interrupt, or an exception in ``on_result``, cancels what hasn't started and comes through.

    ``executor`` runs the calls elsewhere, with its own number of workers, and is left open: another
    thread pool, a process pool, loky's, Dask's ``client.get_executor()``. What holds on which is a
    table at the top of :mod:`ptc.executors.pool`.

    Raises:
        ValueError: ``max_workers`` is below 1, or ``timeout`` is negative.
        TypeError: ``calls`` holds something other than tool calls, or ``registry`` is not one.
    """
    check_workers(max_workers)
    check_listener(on_result)
    workers = max_workers if executor is None else None
    batch = new_batch(calls, registry, workers, retry, timeout, executor, order="longest first")
    return run_batch(batch, on_result, progress)


def execute_sequential(
    calls: Iterable[ToolCall],
    registry: ToolRegistry,
    *,
    retry: RetryPolicy = RetryPolicy(),
    timeout: float | None = None,
    executor: Executor | None = None,
    on_result: Callable[[ToolResult], object] | None = None,
    progress: bool = False,
) -> list[ToolResult]:
    """Run the calls one after the other, in request order: the honest baseline.

    >>> execute_sequential([], ToolRegistry())
    []

    All else is as in :func:`execute_parallel`, deadlines included. That is why a worker thread
    runs them: in the caller's own thread a hang could not be bounded.
    """
    check_listener(on_result)
    batch = new_batch(calls, registry, 1, retry, timeout, executor, order="one by one")
    return run_batch(batch, on_result, progress)


def execute_with_retry(
    call: ToolCall, registry: ToolRegistry, retry: RetryPolicy = RetryPolicy()
) -> ToolResult:
    """Run one call, to its answer: a result, whatever the model or the tool got wrong.

    >>> execute_with_retry(ToolCall("a", "wether"), ToolRegistry()).error
    "no tool named 'wether'; known: []"
    """
    return execute_sequential([call], registry, retry=retry)[0]


def check_workers(max_workers: int) -> None:
    """Raise ValueError for a number of workers that makes no sense."""
    if not max_workers >= 1:
        raise ValueError(f"max_workers={max_workers!r} must be at least 1")


def new_batch(
    calls: Iterable[ToolCall],
    registry: ToolRegistry,
    workers: int | None,
    retry: RetryPolicy,
    timeout: float | None,
    executor: Executor | None,
    order: Order = "as asked",
    runner: Runner | None = None,
) -> Batch:
    """A batch on our threads, or on somebody else's executor, its calls checked and arranged."""
    if executor is not None:
        from .executors import runner_on

        runner = runner_on(executor)
    runner = runner or OwnThreads()
    batch = Batch(calls, registry, workers, retry, timeout, runner)
    batch.prepare()
    batch.arrange(order)
    return batch


def run_batch(
    batch: Batch, on_result: Callable[[ToolResult], object] | None, progress: bool
) -> list[ToolResult]:
    """The batch's results; ``on_result`` hears of each, and a bar shows them."""
    if not progress:
        return run(batch, on_result)
    with bar_of(len(batch.states)) as bar:

        def show(result: ToolResult) -> None:
            bar.update()
            if on_result is not None:
                on_result(result)

        return run(batch, show)
