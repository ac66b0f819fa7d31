"""One call on its way to its answer: run by a worker, and given up by its batch if need be."""

import contextvars
import threading
from collections.abc import Callable, Sequence
from time import perf_counter
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from ..calls import Attempt, ToolCall, ToolResult
from ..retry import RetryPolicy, retry_after
from ..text import explain, mask, secrets, shorten, without_surrogates
from .loops import wait_for

if TYPE_CHECKING:
    from ..registry import Tool
    from .batch import Batch

_LONGEST_ERROR = 2000  # characters


class CallRun:
    """What is known of one call while it is worked on.

    Times are seconds since ``zero``, the begin of the batch. ``started`` is the first start;
    ``attempt_started`` that of the attempt under way, None between attempts.
    """

    tool: "Tool"
    context: contextvars.Context
    arguments: dict[str, Any]
    lane = 0
    worker = ""
    submitted = 0.0
    started: float | None = None
    attempt_started: float | None = None
    has_place = False
    given_up = False
    on_give_up: Callable[[], object] | None = None
    result: ToolResult | None = None

    def __init__(
        self, call: ToolCall, retry: RetryPolicy, zero: float, batch: "Batch | None" = None
    ) -> None:
        self.call, self.retry, self.zero, self.batch = call, retry, zero, batch
        self.attempts: list[Attempt] = []

    def execute(self) -> ToolResult:
        """The call's answer, after as many attempts as it may have. Never raises."""
        try:
            try:
                output = self._attempt()
            except self._passing() as error:
                output = retry_after(
                    error, self._attempt, self.retry, self._pause, lambda: self.given_up
                )
        except BaseException as error:
            return self.fail(f"{readable(explain(error))}; {self._way_out()}")
        return self._answer(True, output, None, self.attempts)

    def fail(self, error: str) -> ToolResult:
        """The answer that says why there is no output."""
        return self._answer(False, None, readable(error, 2 * _LONGEST_ERROR), self.attempts)

    def give_up(self, error: str) -> ToolResult:
        """The answer to a call that isn't waited for: an attempt under way ends now, for us."""
        self.given_up = True
        attempts, since = list(self.attempts), self.attempt_started
        if since is not None and not (attempts and attempts[-1].started == since):
            attempts.append(Attempt(since, self._now(), self.worker, error))
        if tell := self.on_give_up:
            tell()
        return self._answer(False, None, error, attempts)

    def _attempt(self) -> Any:
        error = None
        self.attempt_started = started = perf_counter() - self.zero
        try:
            output = self.tool.fn(**self.arguments)
            if hasattr(output, "__await__"):
                output = wait_for(output, self)
            return list(output) if isinstance(output, GeneratorType) else output
        except BaseException as raised:
            error = readable(explain(raised))
            raise
        finally:
            self.attempts.append(Attempt(started, self._now(), self.worker, error))
            self.attempt_started = None

    def _passing(self) -> tuple[type[BaseException], ...]:
        """The exceptions after which this call may be attempted again."""
        return self.retry.on if self.tool.idempotent and self.retry.attempts > 1 else ()

    def _pause(self, seconds: float) -> None:
        """Wait for the backoff; it ends at once when the call is given up."""
        awake = threading.Event()
        self.on_give_up = awake.set
        if not self.given_up:
            awake.wait(seconds)
        self.on_give_up = None

    def _way_out(self) -> str:
        if len(self.attempts) > 1:
            return f"all {len(self.attempts)} attempts failed: go on without it, or ask again later"
        if not self.tool.idempotent:
            return (
                "not tried again, since it may have taken effect: check that before you repeat it"
            )
        return "correct the arguments, or go on without it"

    def _now(self) -> float:
        return perf_counter() - self.zero

    def _answer(
        self, success: bool, output: Any, error: str | None, attempts: Sequence[Attempt]
    ) -> ToolResult:
        now = perf_counter() - self.zero
        return ToolResult(self.call, success, output, error, tuple(attempts), self.submitted, now)


def readable(error: str, most: int = _LONGEST_ERROR) -> str:
    """An error's text for the model: secrets masked, not too long, and fit for UTF-8."""
    return shorten(without_surrogates(mask(error, secrets())), most)
