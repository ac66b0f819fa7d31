"""The functions that run calls and conversations once more, to be awaited.

What holds is what holds of their namesakes in :mod:`ptc.execute`, :mod:`ptc.stream` and
:mod:`ptc.loop`, arguments included. Async tools run on the caller's own loop, so that they can use
its clients, locks and sessions; plain tools run on our threads; and nothing of ours blocks the
loop. ``on_result`` may be async. Cancelling the await gives the batch up and returns at once: async
tools are cancelled, once, and clean up behind it.
"""

import asyncio
import inspect
import warnings
from collections.abc import AsyncIterable, Iterable, Iterator
from concurrent.futures import Executor
from queue import SimpleQueue
from time import perf_counter
from typing import Any

from .calls import ToolCall, ToolResult
from .execute import check_workers, new_batch
from .loop import Answer, Conversation, Turn, whole_turn
from .machine.awaited import Listener, LoopRunner, off_loop, run
from .machine.bars import bar_of
from .machine.batch import Batch
from .machine.queues import Order
from .machine.threads import THREADS
from .registry import ToolRegistry
from .retry import RetryPolicy
from .stream import Reader, StreamedReply, read_all
from .wire import extract_parallel_calls

__all__ = ["answer", "execute_parallel", "execute_sequential", "execute_stream"]


async def execute_parallel(
    calls: Iterable[ToolCall],
    registry: ToolRegistry,
    max_workers: int = 4,
    *,
    retry: RetryPolicy = RetryPolicy(),
    timeout: float | None = None,
    executor: Executor | None = None,
    on_result: Listener | None = None,
    progress: bool = False,
) -> list[ToolResult]:
    """Run the calls together, as :func:`ptc.execute_parallel` does, without blocking the loop.

    >>> import asyncio
    >>> asyncio.run(execute_parallel([], ToolRegistry()))
    []
    """
    check_workers(max_workers)
    workers = max_workers if executor is None else None
    batch = await _new_batch(calls, registry, workers, retry, timeout, executor, "longest first")
    return await _run(batch, on_result, progress)


async def execute_sequential(
    calls: Iterable[ToolCall],
    registry: ToolRegistry,
    *,
    retry: RetryPolicy = RetryPolicy(),
    timeout: float | None = None,
    executor: Executor | None = None,
    on_result: Listener | None = None,
    progress: bool = False,
) -> list[ToolResult]:
    """Run the calls one after the other, in request order: the honest baseline.

    >>> import asyncio
    >>> asyncio.run(execute_sequential([], ToolRegistry()))
    []
    """
    batch = await _new_batch(calls, registry, 1, retry, timeout, executor, "one by one")
    return await _run(batch, on_result, progress)


async def execute_stream(
    stream: AsyncIterable[Any],
    registry: ToolRegistry,
    max_workers: int = 4,
    *,
    retry: RetryPolicy = RetryPolicy(),
    timeout: float | None = None,
    executor: Executor | None = None,
    on_result: Listener | None = None,
    progress: bool = False,
) -> StreamedReply:
    """Start each call the moment its arguments are whole, as :func:`ptc.stream.execute_stream`.

    ``stream`` is what ``await client.chat.completions.create(stream=True, …)`` gives.

    Raises:
        TypeError: ``stream`` isn't an async iterable.
        ValueError: its first chunk is of no known kind, or an option is out of range.
    """
    check_workers(max_workers)
    if not hasattr(stream, "__aiter__"):
        raise TypeError(
            f"{type(stream).__name__} is not an async stream; give what an async client gives, "
            "awaited, or use ptc.stream.execute_stream"
        )
    workers = max_workers if executor is None else None
    batch = await _new_batch([], registry, workers, retry, timeout, executor, "as asked")
    batch.expecting = True
    reader, chunks = Reader(batch), _Chunks()
    THREADS.submit(lambda: read_all(chunks, reader), reader.end)
    reading = asyncio.create_task(_pass_on(stream, chunks))
    try:
        await _run(batch, on_result, progress)
    finally:
        reading.cancel()
        chunks.end()
        reader.close()
        if reader.incoming.cut:
            _hang_up(stream)
    return reader.reply()


class _Chunks:
    """The chunks of a stream, from the loop that they come in on to the thread that reads them."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._error: BaseException | None = None
        self.put = self._queue.put

    def end(self, error: BaseException | None = None) -> None:
        """No more come; the error that the stream ended with, if it did with one."""
        self._error = self._error or error
        self._queue.put(_END)

    def __iter__(self) -> Iterator[Any]:
        yield from iter(self._queue.get, _END)
        if self._error is not None:
            raise self._error


_END = object()


async def _pass_on(stream: AsyncIterable[Any], chunks: _Chunks) -> None:
    try:
        async for chunk in stream:
            chunks.put(chunk)
    except BaseException as error:
        chunks.end(error)
        if isinstance(error, asyncio.CancelledError):
            raise
    else:
        chunks.end()


def _hang_up(stream: Any) -> None:
    """Let go of a connection, without waiting for it."""
    close = getattr(stream, "aclose", None) or getattr(stream, "close", None)
    closing = None if close is None else close()
    if inspect.isawaitable(closing):
        task = asyncio.ensure_future(closing)
        _closing.add(task)
        task.add_done_callback(_closing.discard)


_closing: set[Any] = set()  # a task that nobody holds may be collected before it has run


async def answer(
    query: str | list[dict[str, Any]],
    registry: ToolRegistry,
    client: Any,
    *,
    model: str | None = None,
    max_workers: int = 4,
    timeout: float | None = None,
    max_turns: int = 8,
    stream: bool = False,
) -> Answer:
    """Ask an ``openai.AsyncOpenAI`` client until the model answers in words, or turns are over.

    ``(await answer("What time is it in Lima?", registry, client)).text`` is what it says. All else
    is as in :func:`ptc.answer`.
    """
    talk = Conversation(query, registry, model, max_turns)
    ask = _ask_streaming if stream else _ask
    while talk.goes_on:
        talk.take(await ask(client, talk.request, registry, max_workers, timeout))
    if talk.answer.stopped:
        warnings.warn(talk.answer.stopped, stacklevel=2)
    return talk.answer


async def _ask(
    client: Any,
    request: dict[str, Any],
    registry: ToolRegistry,
    max_workers: int,
    timeout: float | None,
) -> Turn:
    asked = perf_counter()
    response = await client.chat.completions.create(**request)
    replied, calls = perf_counter(), extract_parallel_calls(response)
    if len(calls) == 1:
        results = await execute_sequential(calls, registry, timeout=timeout)
    else:
        results = await execute_parallel(calls, registry, max_workers, timeout=timeout)
    return whole_turn(response, results, asked, replied)


async def _ask_streaming(
    client: Any,
    request: dict[str, Any],
    registry: ToolRegistry,
    max_workers: int,
    timeout: float | None,
) -> Turn:
    asked = perf_counter()
    chunks = await client.chat.completions.create(**request, stream=True)
    reply = await execute_stream(chunks, registry, max_workers, timeout=timeout)
    tool_seconds = perf_counter() - asked - reply.seconds
    return Turn(reply.results, reply.seconds, tool_seconds, reply.message, reply.cut)


async def _new_batch(
    calls: Iterable[ToolCall],
    registry: ToolRegistry,
    workers: int | None,
    retry: RetryPolicy,
    timeout: float | None,
    executor: Executor | None,
    order: Order,
) -> Batch:
    """Off the loop, since a schema may take its time over what a model sent."""
    runner = LoopRunner(asyncio.get_running_loop())
    calls = list(calls)
    return await off_loop(
        lambda: new_batch(calls, registry, workers, retry, timeout, executor, order, runner)
    )


async def _run(batch: Batch, on_result: Listener | None, progress: bool) -> list[ToolResult]:
    if not progress:
        return await run(batch, on_result)
    with bar_of(len(batch.states)) as bar:

        def show(result: ToolResult) -> object:
            bar.update()
            return None if on_result is None else on_result(result)

        return await run(batch, show)
