"""A whole turn and the next: ask the model, run its calls, answer all of them, ask again."""

import os
import warnings
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from .calls import ToolResult
from .check import compare
from .client import SCRIPTED
from .execute import execute_parallel, execute_sequential
from .registry import ToolRegistry
from .text import mask, secrets, shorten
from .wire import assistant_message, extract_parallel_calls, format_parallel_results
from .wire.formats import read_reply


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply of the model and the results of its calls, none for words; lengths in seconds."""

    results: list[ToolResult]
    model_seconds: float
    tool_seconds: float
    message: Any  # the model's own
    cut: str | None = None  # why the reply ended early


@dataclass(slots=True)
class Answer:
    """What came of a query. ``text`` is the model's last words, "" where there are none.

    ``stopped`` says why these words are missing or cut off, and is None for a whole answer.
    ``messages`` is a history that a provider accepts, whatever became of the calls in it.
    """

    text: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    stopped: str | None = None


def answer(
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
    """Ask an ``openai.OpenAI`` client until the model answers in words, or ``max_turns`` are over.

    ``answer("What time is it in Lima?", registry, client).text`` is what it says.
    One call runs in sequence, several in parallel, ``timeout`` seconds at most a batch; the model
    reads what failed. A list of messages as ``query`` grows by whole turns, interrupted or not.
    ``model`` is by default what ``PTC_MODEL`` names, or the scripted one. ``stream`` starts calls
    while the reply comes in; words that a lost connection cuts off raise. An answer that isn't
    whole warns, and its ``stopped`` says why.
    """
    talk = Conversation(query, registry, model, max_turns)
    ask = _ask_streaming if stream else _ask
    while talk.goes_on:
        talk.take(ask(client, talk.request, registry, max_workers, timeout))
    if talk.answer.stopped:
        warnings.warn(talk.answer.stopped, stacklevel=2)
    return talk.answer


def _ask(client, request, registry, max_workers, timeout) -> Turn:
    asked = perf_counter()
    response = client.chat.completions.create(**request)
    replied = perf_counter()
    calls = extract_parallel_calls(response)
    if len(calls) == 1:
        results = execute_sequential(calls, registry, timeout=timeout)
    else:
        results = execute_parallel(calls, registry, max_workers, timeout=timeout)
    if not compare(results, calls).answered:
        raise RuntimeError("a call is without its result, and the provider would refuse the rest")
    return whole_turn(response, results, asked, replied)


def _ask_streaming(client, request, registry, max_workers, timeout) -> Turn:
    from .stream import execute_stream

    asked = perf_counter()
    chunks = client.chat.completions.create(**request, stream=True)
    reply = execute_stream(chunks, registry, max_workers, timeout=timeout)
    tool_seconds = perf_counter() - asked - reply.seconds
    return Turn(reply.results, reply.seconds, tool_seconds, reply.message, reply.cut)


def whole_turn(response: Any, results: list[ToolResult], asked: float, replied: float) -> Turn:
    """The turn of a reply that came whole, and whose calls were run just now."""
    tool_seconds = perf_counter() - replied if results else 0.0
    message = assistant_message(response, [result.call for result in results])
    return Turn(results, replied - asked, tool_seconds, message, read_reply(response).cut)


class Conversation:
    """What to ask next, and what came of it: while it ``goes_on``, it sends ``request``."""

    def __init__(self, query: Any, registry: ToolRegistry, model: str | None, most: int) -> None:
        if not most >= 1:
            raise ValueError(f"max_turns={most!r} must be at least 1")
        messages = [{"role": "user", "content": query}] if isinstance(query, str) else query
        name = model or os.environ.get("PTC_MODEL") or SCRIPTED
        tools = {"tools": registry.to_wire("openai")} if len(registry) else {}
        self.request: dict[str, Any] = {"model": name, "messages": messages, **tools}
        self.answer, self.most, self.goes_on = Answer(messages=messages), most, True

    def take(self, turn: Turn) -> None:
        """Append a turn: its calls with their results, or the words that end the conversation."""
        answer, calls = self.answer, [result.call for result in turn.results]
        if calls:
            answer.messages += [turn.message, *format_parallel_results(turn.results)]
        elif turn.cut and "finish_reason" not in turn.cut:
            raise ConnectionError(f"the reply was cut off: {turn.cut}; ask again")
        else:
            answer.text = _words(turn.message)
            # An empty list of calls, or null for words, would be refused ever after.
            kept = {key: value for key, value in turn.message.items() if key != "tool_calls"}
            answer.messages.append(kept | {"content": answer.text})
        answer.turns.append(turn)
        self.goes_on = bool(calls) and len(answer.turns) < self.most
        if not self.goes_on:
            answer.stopped = _why_unfinished(turn, len(answer.turns), answer.text)


def _words(message: dict[str, Any]) -> str:
    """The text of a message; some servers send a list of parts."""
    content = message.get("content") or message.get("refusal") or ""
    return content if isinstance(content, str) else "".join(p.get("text", "") for p in content)


def _why_unfinished(turn: Turn, number: int, text: str) -> str | None:
    if turn.results:
        calls = ", ".join(f"{made.call.name}({made.call.arguments})" for made in turn.results)
        last = f"in turn {number} the model still asked for {shorten(mask(calls, secrets()), 200)}"
        return f"no answer yet: {last}; give it more max_turns, or go on from these messages"
    if turn.cut:
        return f"the answer was cut off ({turn.cut})"
    return None if text else f"the reply of turn {number} has no words and asks for no tool"
