"""A reply that is streaming in: which of its calls may start, and what became of it in the end.

Nothing here waits, runs a tool or knows of threads: whoever iterates over the stream, in a thread
or in an event loop, hands over each chunk and is told what may start.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

from ..calls import ToolCall
from . import assistant_message
from .deltas import ChatDeltas, PartialCall
from .events import StreamFormat, stream_format
from .reading import CallMaker, UnreadableReplyError, as_sent, cut_problem


class Tools(Protocol):
    """What a registry is here: tools by name, and how each wants to be run."""

    def __contains__(self, name: object) -> bool: ...

    def __getitem__(self, name: str) -> Any: ...

    def __iter__(self) -> Iterator[str]: ...

    def __len__(self) -> int: ...


class IncomingReply:
    """A reply as far as it has come.

    >>> incoming = IncomingReply(registry)
    >>> function = {"name": "get_time", "arguments": '{"city": "Paris"}'}
    >>> delta = {"tool_calls": [{"id": "a", "function": function}]}
    >>> [call.name for call in incoming.take({"choices": [{"delta": delta}]})]
    ['get_time']

    ``calls`` are in request order, complete or not. ``cut`` says why the reply ended early, and is
    None until it has, or if it did not. ``misuse`` is what the stream is if it isn't one.
    """

    def __init__(self, tools: Tools) -> None:
        self.cut: str | None = None
        self.misuse: UnreadableReplyError | None = None
        self._form: StreamFormat | None = None
        self._tools = tools
        self._half: PartialCall | None = None  # the last call of a reply that its provider cut
        self._in_turn = 0
        self._maker = CallMaker()
        self._made: dict[PartialCall, ToolCall] = {}
        self._texts: dict[PartialCall, str] = {}  # the arguments with which each was made

    @property
    def calls(self) -> list[PartialCall]:
        return self._form.calls if self._form else []

    def take(self, chunk: Any) -> list[PartialCall]:
        """The calls that may start now that this chunk has come.

        Raises UnreadableReplyError where the chunk is malformed, or the first is of no known kind;
        ConnectionError where it says that the provider broke off.
        """
        sent = as_sent(chunk)
        if self._form is None:
            self._form = self._recognised(sent)
        news = [call for call in self._form.feed(sent) if call not in self._made]
        free = [call for call in news if not self._touches(call) and self._may_start_early(call)]
        return free + (self._next_that_touch() if any(call.is_complete for call in news) else [])

    def _touches(self, call: PartialCall) -> bool:
        """Does its tool say that it reads or writes what another call may touch?"""
        if call.name not in self._tools:
            return False
        tool = self._tools[call.name]
        return tool.reads is not None or tool.writes is not None

    def _next_that_touch(self) -> list[PartialCall]:
        """Those that may start in their turn: all calls before them are complete, and known.

        ``_in_turn`` counts the calls, from the first, that no later one has to wait for.
        """
        found: list[PartialCall] = []
        calls = self.calls
        while self._in_turn < len(calls):
            call = calls[self._in_turn]
            is_missing_one = isinstance(self._form, ChatDeltas) and call.index > self._in_turn
            if is_missing_one or not call.is_complete:
                break
            if call not in self._made and self._touches(call):
                if not self._may_start_early(call):
                    break
                found.append(call)
            self._in_turn += 1
        return found

    def end(self, broken: str | None = None) -> list[PartialCall]:
        """The calls that may start now that nothing more comes; ``broken`` says what went wrong.

        Where the provider itself cut the reply, the last call may be incomplete and never starts,
        and the others start only where they are idempotent.
        """
        if broken or self._form is None or not self._form.has_ended:
            self.cut = broken or "it ended before the reply did"
            return []
        self.cut = self._form.cut
        waiting = [call for call in self.calls if call not in self._made]
        if self.cut is None:
            return waiting
        self._half = self.calls[-1] if self.calls else None
        return [call for call in waiting if call is not self._half and self._is_idempotent(call)]

    def _recognised(self, sent: Any) -> StreamFormat:
        try:
            return stream_format(sent, self._tools)
        except UnreadableReplyError as error:
            self.misuse = error
            raise

    def _may_start_early(self, call: PartialCall) -> bool:
        """May a call start before the reply has ended? Not if it must not run in vain."""
        if not call.is_complete or call.name not in self._tools or not self._is_idempotent(call):
            return False
        wants_arguments = bool(self._tools[call.name].schema.get("required"))
        return not (wants_arguments and call.may_be_placeholder)

    def _is_idempotent(self, call: PartialCall) -> bool:
        return call.name not in self._tools or self._tools[call.name].idempotent

    def tool_call(self, call: PartialCall) -> ToolCall:
        """The tool call that a partial one is; the same from the first time on, if it goes on."""
        if call not in self._made:
            made = self._maker.make(call.body, call.id)
            if call is self._half:
                made = replace(made, problem=cut_problem(str(self.cut), made.problem))
            self._made[call] = replace(made, cut=self.cut)
            self._texts[call] = call.text
        return self._made[call]

    def has_gone_on(self, call: PartialCall) -> bool:
        """Is a call another now than when :meth:`tool_call` gave it?"""
        same_arguments = self._texts[call].strip() == call.text.strip()
        return call.name != self._made[call].name or not same_arguments

    def last_form(self, call: PartialCall) -> ToolCall:
        """The tool call as it was in the end."""
        made = self.tool_call(call)
        if not self.has_gone_on(call):
            return made
        name, arguments, problem = call.body
        return replace(made, name=name, arguments=arguments, problem=problem)

    def error(self, call: PartialCall, has_run: bool) -> str:
        """Why a call has no result of its own: it never started, or as another than it is now."""
        made = self.tool_call(call)
        if has_run:
            return (
                f"it ran with {made.arguments!r}, and then its arguments went on; check what it "
                "did before you ask for it again"
            )
        if made.cut:
            cut_off = f"not started: the reply was cut off ({made.cut}); ask for it again if needed"
            return made.problem if made.problem and call is self._half else cut_off
        return "not started: its arguments went on after their end; send it again"

    def message(self) -> Any:
        """The model's own message, for the history, as it would have come unstreamed."""
        if self._form is None:
            return {"role": "assistant", "content": ""}
        return assistant_message(self._form.reply(), [self.last_form(call) for call in self.calls])
