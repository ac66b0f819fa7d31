"""Calls that start while the model still speaks: each as soon as its arguments are whole."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from .calls import ToolCall, ToolResult
from .execute import new_batch, run_batch
from .machine.batch import Batch
from .machine.run import CallRun
from .machine.threads import THREADS
from .registry import ToolRegistry
from .retry import RetryPolicy
from .text import explain
from .wire import assistant_message
from .wire.deltas import AnthropicEvents, ChatDeltas, Part
from .wire.reading import as_sent, new_id, quote, read_arguments


@dataclass(frozen=True, slots=True)
class StreamedReply:
    """What came of a streamed reply.

    ``results`` answer its calls in request order, and ``message`` is the model's own, for the
    history. ``cut`` says why the stream ended before the reply did, and is None if it did not.
    The stream was over ``seconds`` after the start.
    """

    results: list[ToolResult]
    message: dict[str, Any]
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

    ``stream`` gives Chat Completions chunks or Anthropic's events: an SDK's objects, or dicts.
    ``timeout`` counts from now; a stream that stalls past it counts as cut. A tool that isn't
    idempotent waits for the reply's end: a reply that is cut must not have paid. Calls start in
    request order, whatever their ``expected_seconds``.
    """
    if not max_workers >= 1:
        raise ValueError(f"max_workers={max_workers!r} must be at least 1")
    workers = max_workers if executor is None else None
    batch = new_batch([], registry, workers, retry, timeout, executor)
    reader = _Reader(stream, batch)
    batch.expecting = True
    THREADS.submit(reader.read)
    try:
        run_batch(batch, on_result, progress)
    finally:
        reader.close()
    return reader.reply()


class _Reader:
    """Reads a stream in a thread of its own, for it may stall, and hands whole calls to a batch.

    ``lock`` guards what has been read: the thread may be left behind in the middle of it.
    """

    def __init__(self, stream: Iterable[Any], batch: Batch) -> None:
        self.stream, self.batch = stream, batch
        self.context = copy_context()
        self.lock = threading.Lock()
        self.deltas: ChatDeltas | AnthropicEvents | None = None
        self.runs: dict[Part, CallRun] = {}
        self.ids: dict[Part, str] = {}
        self.cut: str | None = "it stalled past the timeout"
        self.misuse: ValueError | None = None
        self.closed = False
        self.seconds = 0.0

    def read(self) -> None:
        try:
            for chunk in self.stream:
                with self.lock:
                    if self.closed:
                        return
                    self._take(as_sent(chunk))
            cut = None if self.deltas and self.deltas.finished else "it ended before the reply did"
        except BaseException as error:
            cut = explain(error)
        with self.lock:
            if not self.closed:
                self.cut = cut
                self.seconds = perf_counter() - self.batch.began
                self.batch.end()

    def _take(self, chunk: Any) -> None:
        if self.deltas is None:
            self.deltas = self._format_of(chunk)
        for part in self.deltas.feed(chunk):
            if part not in self.ids:
                self.ids[part] = new_id(part.id, self.ids.values())
            if part.whole and part not in self.runs and self._may_start(part):
                self.runs[part] = self.batch.add(self._call(part), self.context)

    def _format_of(self, chunk: Any) -> ChatDeltas | AnthropicEvents:
        if isinstance(chunk, dict) and ("choices" in chunk or "error" in chunk):
            return ChatDeltas()
        if isinstance(chunk, dict) and "type" in chunk:
            return AnthropicEvents()
        self.misuse = ValueError(
            f"{quote(chunk)} is no chunk of Chat Completions and no event of Anthropic's; "
            "give what client.chat.completions.create(stream=True, …) gives"
        )
        raise self.misuse

    def _may_start(self, part: Part) -> bool:
        registry = self.batch.registry
        waits = part.name in registry and not registry[part.name].idempotent
        return self.deltas.finished or not waits

    def _call(self, part: Part) -> ToolCall:
        arguments, problem = read_arguments(part.text)
        return ToolCall(self.ids[part], part.name, arguments, problem, part.id)

    def close(self) -> None:
        """Read no further, and let go of the connection."""
        with self.lock:
            if not self.closed and self.batch.expecting:
                self.seconds = perf_counter() - self.batch.began
            self.closed = True
        hang_up = getattr(self.stream, "close", None)
        if self.cut and hang_up:
            THREADS.submit(hang_up)  # it may wait for the very read that stalls

    def reply(self) -> StreamedReply:
        if self.misuse:
            raise self.misuse
        parts = self.deltas.parts if self.deltas else []
        results = [self._result(part) for part in parts]
        message = {"role": "assistant", "content": ""}
        if self.deltas:
            message = assistant_message(self.deltas.reply(), [result.call for result in results])
        return StreamedReply(results, message, self.cut, self.seconds)

    def _result(self, part: Part) -> ToolResult:
        run, now = self.runs.get(part), perf_counter() - self.batch.began
        call = self._call(part)
        if run is not None and run.call.arguments == call.arguments:
            return run.result
        if run is not None:
            error = f"it ran with {run.call.arguments!r}, and then its arguments went on"
            return ToolResult(call, False, error=f"{error}; check what it did", finished=now)
        error = f"not started: the reply was cut off ({self.cut}); ask for it again if needed"
        return ToolResult(call, False, error=error, submitted=now, finished=now)
