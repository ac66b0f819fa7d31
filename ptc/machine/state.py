"""One call on its way to its answer: run by a worker, and given up by its batch if need be."""

import copy
import inspect
import math
import threading
from collections.abc import Callable, Iterator
from contextvars import Context, ContextVar, copy_context
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..calls import Attempt, ToolCall, ToolResult
from ..conflicts import Key
from ..making import make_result
from ..registry import Tool
from ..retry import RetryPolicy, first_backoff, later_attempts, may_pass
from ..text import snapshot
from . import reasons
from .loops import TOOL_LOOP, blocker, read_all, wait_on

if TYPE_CHECKING:
    import asyncio


class Home(Protocol):
    """The batch of a call, as others see it who wait for the same things."""

    def has_free_lane(self) -> bool:
        """Could one more of its calls start now?"""
        ...

    def call_up(self, state: "CallState", by: object) -> None:
        """What the call waited for may be free now: have it try again."""
        ...

    def starve(self, state: "CallState") -> None:
        """Nothing but abandoned calls is in the way of this one, and they may never end."""
        ...


_ATOMS = frozenset({str, int, float, bool, type(None)})  # can't be changed in place
_current: ContextVar["CallState"] = ContextVar("ptc_call")


class Needs(NamedTuple):
    """What a call has to hold while it runs. ``limited``: its tool, if that counts its permits."""

    limited: Tool | None
    reads: frozenset[Key]
    writes: frozenset[Key]


class Moment(NamedTuple):
    """One moment on two clocks, in seconds: this process's own, and the time of day."""

    clock: float
    wall: float

    @classmethod
    def now(cls) -> "Moment":
        return cls(perf_counter(), time())


class GivenUpError(Exception):
    """No further attempt is made: nobody waits for the call any more."""


def given_up() -> bool:
    """Inside a tool: does nobody wait for this call, or for one that it is part of, any more?

    True after a timeout, an interrupt or a cancelled batch, so that a plain function, which can't
    be stopped from outside, can stop by itself. False outside a call. In another process it
    follows the timeout there.

    >>> given_up()
    False
    """
    state = _current.get(None)
    return state is not None and state.is_unwanted()


class CallState:
    """What is known of one call while it is worked on.

    Times are seconds since ``began``, the start of the batch on this process's clock. ``started``
    is the first start; ``attempt_started`` that of the attempt under way, None between attempts.
    ``result`` is stored by the batch, under its lock; all else that changes while the call runs is
    written by its worker alone, but for ``given_up``, which only ever turns True.
    """

    tool: Tool
    batch: Home
    context: Context | None = None
    arguments: dict[str, Any]
    needs: Needs | None = None
    lane = 0
    worker = ""
    submitted = 0.0
    started: float | None = None
    attempt_started: float | None = None
    attempts: tuple[Attempt, ...] = ()
    given_up = False
    result: ToolResult | None = None
    waits = False
    """Does it wait for an earlier call of its own batch?"""
    told = False
    """Has whoever listens heard of its result?"""
    by: Any = None
    """The worker that has it, or had it."""
    loop: "asyncio.AbstractEventLoop | None" = None
    """The caller's own, where async tools run if it awaits the batch."""
    on_loop = False
    """Does it run on an event loop, where it can be cancelled?"""
    latest = math.inf
    """From when on no attempt may begin: the batch's timeout, whether or not somebody saw to it."""
    patient_until: float | None = None
    """When it gives up waiting for what only abandoned calls hold."""
    _tell: Callable[[], object] | None = None

    def __init__(self, call: ToolCall, retry: RetryPolicy, began: float, index: int = 0) -> None:
        self.call, self.retry, self.began, self.index = call, retry, began, index
        self.parent = _current.get(None)

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.call.name

    def callers(self) -> "Iterator[CallState]":
        """The call inside which this one was made, the one around that, and so on."""
        caller = self.parent
        while caller is not None:
            yield caller
            caller = caller.parent

    def is_unwanted(self) -> bool:
        """Was it given up, or one that it is part of?"""
        return self.given_up or any(caller.given_up for caller in self.callers())

    def run(self) -> ToolResult:
        """The call's answer, after as many attempts as it may have. Never raises by itself."""
        context, self.context = self.context, None  # which holds this state: no circle is left
        if context is None:
            context = copy_context()
        return context.run(self._run)

    def fail(self, error: str) -> ToolResult:
        """The answer that says why there is no output."""
        error = reasons.readable(error, 2 * reasons.LONGEST_ERROR)
        return self._answer(False, None, error, self.attempts)

    def give_up(self, error: str) -> ToolResult:
        """The answer to a call that isn't waited for: an attempt under way ends now, for us."""
        self.given_up = True
        attempts, since = self.attempts, self.attempt_started
        told = bool(attempts) and attempts[-1].started == since
        if since is not None and not told:
            now = perf_counter() - self.began
            attempts += (Attempt(since, now, self.worker, error),)
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()
        return self._answer(False, None, error, attempts)

    def when_given_up(self, tell: Callable[[], object] | None) -> None:
        """Have ``tell`` called, once, when the call is given up; at once if it was already.

        The order closes the gap: whoever gives up sets ``given_up`` first and then takes ``tell``.
        """
        self._tell = tell
        if self.given_up and tell is not None and self._tell is not None:
            self._tell = None
            tell()

    def pause(self, seconds: float) -> None:
        """Wait for the backoff; it ends at once when the call is given up."""
        awake = threading.Event()
        self.when_given_up(awake.set)
        awake.wait(seconds)
        self.when_given_up(None)

    def _run(self) -> ToolResult:
        _current.set(self)
        try:
            try:
                output = self._attempt()
            except BaseException as error:
                output = self._attempt_again_after(error)
            return self._answer(True, output, None, self.attempts)
        except BaseException as error:
            return self.fail(self._why_failed(error))

    def _why_failed(self, error: BaseException) -> str:
        if isinstance(error, GivenUpError):
            limit = f"the batch's timeout of {self.latest:g} s"
            return reasons.late(bool(self.attempts), limit, self.on_loop)
        return reasons.failed(error, len(self.attempts), self.tool.idempotent)

    def _attempt_again_after(self, error: BaseException) -> Any:
        if not self._may_repeat_after(error):
            raise error
        from tenacity import Retrying

        self.pause(first_backoff(self.retry))
        return Retrying(sleep=self.pause, **later_attempts(self.retry))(self._attempt)

    def _may_repeat_after(self, error: BaseException) -> bool:
        may_repeat = self.tool.idempotent and self.retry.attempts > 1
        return may_repeat and may_pass(error, self.retry.on)

    def _attempt(self) -> Any:
        error = None
        started = self._begin_attempt()
        try:
            output = self.tool.fn(**own_copy(self.arguments))
            return output if type(output) in _ATOMS else self._finished(output)
        except BaseException as raised:
            error = reasons.describe_error(raised)
            raise
        finally:
            self._end_attempt(started, error)

    def _begin_attempt(self) -> float:
        started = perf_counter() - self.began
        if self.given_up or started >= self.latest:
            raise GivenUpError("given up before another attempt")
        self.attempt_started = started
        return started

    def _end_attempt(self, started: float, error: str | None) -> None:
        finished = perf_counter() - self.began
        self.attempts += (Attempt(started, finished, self.worker, error),)
        self.attempt_started = None

    def _finished(self, output: Any) -> Any:
        """The output itself: awaited, read to its end, and as it is now."""
        if inspect.isasyncgen(output):
            output = self._awaited(read_all(output))
        elif hasattr(output, "__await__"):
            output = self._awaited(output)
        return snapshot(output, self.is_unwanted)

    def _awaited(self, awaitable: Any) -> Any:
        self.on_loop = True
        if self.loop is None:
            return TOOL_LOOP.wait_for(awaitable, self)
        return wait_on(self.loop, awaitable, self)

    # On the caller's own loop.

    async def run_there(self) -> Any:
        """The output of an async tool, as its task gives it; :meth:`run`, but for the answer."""
        _current.set(self)
        try:
            return await self._attempt_there()
        except Exception as error:
            if not self._may_repeat_after(error):
                raise
            import asyncio

            from tenacity import AsyncRetrying

            await asyncio.sleep(first_backoff(self.retry))
            retrying = AsyncRetrying(sleep=asyncio.sleep, **later_attempts(self.retry))
            return await retrying(self._attempt_there)

    async def _attempt_there(self) -> Any:
        error = None
        started = self._begin_attempt()
        try:
            output = self.tool.fn(**own_copy(self.arguments))
            return await (read_all(output) if inspect.isasyncgen(output) else output)
        except BaseException as raised:
            error = reasons.describe_error(raised)
            raise
        finally:
            self._end_attempt(started, error)

    def answer_from(self, task: "asyncio.Task[Any]") -> ToolResult:
        """The answer that :meth:`run_there` has come to; not made on the loop, it may take time."""
        try:
            output = snapshot(task.result(), self.is_unwanted)
            return self._answer(True, output, None, self.attempts)
        except BaseException as error:
            return self.fail(self._why_failed(error))

    def blocker(self) -> str | None:
        """The async tool that holds the loop on which this call runs, if another one does."""
        return blocker(self.loop or TOOL_LOOP.loop, self.name) if self.on_loop else None

    def _answer(
        self, success: bool, output: Any, error: str | None, attempts: tuple[Attempt, ...]
    ) -> ToolResult:
        now = perf_counter() - self.began
        return make_result(self.call, success, output, error, attempts, self.submitted, now)


def own_copy(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments for one attempt: what it changes in them is gone with it."""
    for value in arguments.values():
        if type(value) not in _ATOMS:
            return _deep_copy(arguments)
    return arguments


def _deep_copy(arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return copy.deepcopy(arguments)
    except Exception:  # what a validator of the tool's author made of them
        return arguments
