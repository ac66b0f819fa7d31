"""Calls that start while the model still speaks: each as soon as its arguments are whole."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from .calls import ToolResult
from .execute import check_listener, check_workers, new_batch, run_batch
from .machine.batch import Batch
from .machine.state import CallState
from .machine.threads import THREADS
from .registry import ToolRegistry
from .retry import RetryPolicy
from .text import explain
from .wire.events import check_stream
from .wire.incoming import IncomingReply, PartialCall


@dataclass(frozen=True, slots=True)
class StreamedReply:
    """What came of a streamed reply.

    ``results`` answer its calls in request order, and ``message`` is the model's own. ``cut`` says
    why the reply ended early, and is None if it did not. The stream took ``seconds``.
    """

    results: list[ToolResult]
    message: dict[str, Any] | list[Any]
    cut: str | None
    seconds: float


def execute_stream(
    stream: Iterable[Any],
    registry: ToolRegistry,
    max_workers: int = 4,
    *,
    retry: RetryPolicy = RetryPolicy(),
    timeout: float | None = None,
    executor: Executor | None = None,
    on_result: Callable[[ToolResult], object] | None = None,
    progress: bool = False,
) -> StreamedReply:
    """Start each call the moment its arguments are whole; what holds is as in execute_parallel.

    >>> chunks = client.chat.completions.create(model=model, messages=messages, stream=True)
    >>> reply = execute_stream(chunks, registry)
    >>> messages += [reply.message, *format_parallel_results(reply.results)]

    ``stream`` gives Chat Completions chunks, Responses events, Anthropic's or Bedrock's: an SDK's
    objects, or dicts. Calls start in request order; one of a tool that isn't idempotent waits for
    the stream's end, for a reply that is cut must not have paid. ``timeout`` counts from now; a
    stream that stalls past it counts as cut, and so does one in which anything goes wrong.

    Raises:
        TypeError: ``stream`` isn't one: None, a whole reply, an async generator.
        ValueError: its first chunk is of no known kind, or an option is out of range.
    """
    check_workers(max_workers)
    check_listener(on_result)
    check_stream(stream)
    workers = max_workers if executor is None else None
    batch = new_batch([], registry, workers, retry, timeout, executor)
    batch.expecting = True
    reader = Reader(batch)
    THREADS.submit(lambda: read_all(stream, reader), reader.end)
    try:
        run_batch(batch, on_result, progress)
    finally:
        reader.close()
        hang_up = getattr(stream, "close", None)
        if reader.incoming.cut and hang_up:
            THREADS.submit(hang_up, reader.end)  # it may wait for the very read that stalls
    return reader.reply()


def read_all(stream: Iterable[Any], reader: "Reader") -> None:
    """Read in a thread of its own, for a stream may stall."""
    try:
        for chunk in stream:
            if not reader.take(chunk):
                return
        reader.end()
    except BaseException as error:
        reader.end(error)


class Reader:
    """Hands the calls of a reply that streams in to a batch; somebody else iterates.

    ``_lock`` guards all of it, for whoever iterates may be left behind in a stream that stalls.
    Once it is closed, nothing changes any more.
    """

    def __init__(self, batch: Batch) -> None:
        self.incoming = IncomingReply(batch.registry)
        self._batch, self._context = batch, copy_context()
        self._lock = threading.Lock()
        self._runs: dict[PartialCall, CallState] = {}
        self._seconds: float | None = None  # None while it is open

    def take(self, chunk: Any) -> bool:
        """Start the calls that a chunk completes; False when nobody waits any more."""
        with self._lock:
            if self._seconds is None:
                self._start(self.incoming.take(chunk))
            return self._seconds is None

    def end(self, broken: BaseException | None = None) -> None:
        """Start the rest, for nothing more comes; ``broken`` says why, if that is too early."""
        with self._lock:
            if self._seconds is None:
                self._seconds = perf_counter() - self._batch.began
                try:
                    self._start(self.incoming.end(explain(broken) if broken else None))
                finally:
                    self._batch.end()

    def _start(self, calls: list[PartialCall]) -> None:
        for call in calls:
            self._runs[call] = self._batch.add(self.incoming.tool_call(call), self._context)

    def close(self) -> None:
        """Read no further."""
        with self._lock:
            if self._seconds is None:
                self._seconds = perf_counter() - self._batch.began
                self.incoming.end("it stalled past the timeout")

    def reply(self) -> StreamedReply:
        """What came of it all, once the batch is over and the reader closed."""
        if self.incoming.misuse:
            raise self.incoming.misuse
        results = [self._result(call) for call in self.incoming.calls]
        seconds = self._seconds or 0.0
        return StreamedReply(results, self.incoming.message(), self.incoming.cut, seconds)

    def _result(self, partial: PartialCall) -> ToolResult:
        run = self._runs.get(partial)
        result = run.result if run else None
        if result and not self.incoming.has_gone_on(partial):
            return result
        call, now = self.incoming.last_form(partial), perf_counter() - self._batch.began
        error = self.incoming.error(partial, has_run=bool(result and result.attempts))
        return ToolResult(call, False, error=error, submitted=now, finished=now)
