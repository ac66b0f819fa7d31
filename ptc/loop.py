"""A whole turn and the next: ask the model, run its calls, answer all of them, ask again."""

import os
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from .calls import ToolResult
from .check import compare
from .client import SCRIPTED
from .execute import execute_parallel, execute_sequential
from .registry import ToolRegistry
from .wire import assistant_message, extract_parallel_calls, format_parallel_results


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply of the model and the results of its calls, none for words; lengths in seconds."""

    results: list[ToolResult]
    model_seconds: float
    tool_seconds: float


@dataclass(slots=True)
class Answer:
    """What came of a query. ``text`` is "" where the turns were over before the model answered.

    ``messages`` is a history that a provider accepts, whatever became of the calls in it.
    """

    text: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)


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

    One call runs in sequence, several in parallel, ``timeout`` seconds at most a batch. A failure
    is for the model to read: each call is answered. A list of messages as ``query`` grows by whole
    turns: an interrupt leaves it valid. ``model`` is by default what ``PTC_MODEL`` names, or the
    scripted one. With ``stream`` calls start while the reply comes in; cut off words raise.
    """
    if not max_turns >= 1:
        raise ValueError(f"max_turns={max_turns!r} must be at least 1")
    messages = [{"role": "user", "content": query}] if isinstance(query, str) else query
    outcome = Answer(messages=messages)
    request = {"model": model or os.environ.get("PTC_MODEL") or SCRIPTED, "messages": messages}
    request |= {"tools": registry.to_wire("openai")} if len(registry) else {}
    for _ in range(max_turns):
        ask = _ask_streaming if stream else _ask
        message, turn = ask(client, request, registry, max_workers, timeout)
        outcome.turns.append(turn)
        if not turn.results:
            outcome.text = message.get("content") or message.get("refusal") or ""
            # An empty list of calls, or null for words, would be refused ever after.
            kept = {key: value for key, value in message.items() if key != "tool_calls"}
            messages.append(kept | {"content": outcome.text})
            return outcome
        messages += [message, *format_parallel_results(turn.results)]
    return outcome


def _ask(client, request, registry, max_workers, timeout) -> tuple[dict[str, Any], Turn]:
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
    tool_seconds = perf_counter() - replied if calls else 0.0
    return assistant_message(response, calls), Turn(results, replied - asked, tool_seconds)


def _ask_streaming(client, request, registry, max_workers, timeout) -> tuple[dict[str, Any], Turn]:
    from .stream import execute_stream

    asked = perf_counter()
    chunks = client.chat.completions.create(**request, stream=True)
    reply = execute_stream(chunks, registry, max_workers, timeout=timeout)
    if reply.cut and not reply.results:
        raise ConnectionError(f"the reply was cut off: {reply.cut}; ask again")
    return reply.message, Turn(reply.results, reply.seconds, perf_counter() - asked - reply.seconds)
