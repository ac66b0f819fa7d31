"""A whole turn and the next: ask the model, run its calls, answer all of them, ask again."""

import os
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .calls import ToolCall, ToolResult
from .check import compare
from .client import SCRIPTED
from .execute import execute_parallel, execute_sequential
from .registry import ToolRegistry
from .wire import assistant_message, extract_parallel_calls, format_parallel_results

if TYPE_CHECKING:
    from openai import OpenAI


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
    client: "OpenAI",
    *,
    model: str | None = None,
    max_workers: int = 4,
    timeout: float | None = None,
    max_turns: int = 8,
) -> Answer:
    """Ask until the model answers in words, at most ``max_turns`` times.

    One call runs in sequence, several in parallel, ``timeout`` seconds at most a batch. Failures go
    back to the model: it reads what went wrong, and each call is answered. ``query`` may be a list
    of messages, which then grows: turn by turn and each turn whole, so that an interrupt leaves it
    valid. ``model`` is by default what ``PTC_MODEL`` names, or the scripted one.
    """
    if not max_turns >= 1:
        raise ValueError(f"max_turns={max_turns!r} must be at least 1")
    messages = [{"role": "user", "content": query}] if isinstance(query, str) else query
    outcome = Answer(messages=messages)
    request = {"model": model or os.environ.get("PTC_MODEL") or SCRIPTED, "messages": messages}
    if len(registry):
        request["tools"] = registry.to_wire("openai")
    for _ in range(max_turns):
        asked = perf_counter()
        response = client.chat.completions.create(**request)
        model_seconds = perf_counter() - asked
        calls = extract_parallel_calls(response)
        message = assistant_message(response, calls)
        if not calls:
            outcome.turns.append(Turn([], model_seconds, 0.0))
            outcome.text = message.get("content") or message.get("refusal") or ""
            # An empty list of calls would be refused ever after, and so would null for words.
            kept = {key: value for key, value in message.items() if key != "tool_calls"}
            messages.append(kept | {"content": outcome.text})
            return outcome
        began = perf_counter()
        results = _run(calls, registry, max_workers, timeout)
        outcome.turns.append(Turn(results, model_seconds, perf_counter() - began))
        messages += [message, *format_parallel_results(results)]
    return outcome


def _run(
    calls: list[ToolCall], registry: ToolRegistry, max_workers: int, timeout: float | None
) -> list[ToolResult]:
    if len(calls) == 1:
        results = execute_sequential(calls, registry, timeout=timeout)
    else:
        results = execute_parallel(calls, registry, max_workers, timeout=timeout)
    if not compare(results, calls).answered:
        raise RuntimeError("a call is without its result, and the provider would refuse the rest")
    return results
