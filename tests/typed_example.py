"""The public names as a typed program uses them: `basedpyright` checks this file, nothing runs it.

Each ``assert_type`` says what an editor shows for a name, and fails where that changes.
"""

from collections.abc import Sequence
from typing import Any, assert_type

from openai import OpenAI

import ptc
from ptc import (
    Attempt,
    Completeness,
    RetryPolicy,
    ToolCall,
    ToolRegistry,
    ToolResult,
    aggregate_errors,
    answer,
    check_parallel_completeness,
    connect,
    execute_parallel,
    execute_sequential,
    execute_with_retry,
    extract_parallel_calls,
    format_parallel_results,
)
from ptc.loop import Answer, Turn
from ptc.timeline import Span, lower_bound, makespan, schedule, spans, speedup

registry = ToolRegistry()


def add(a: int, b: int) -> int:
    return a + b


registry.register(add, timeout=2.0, max_concurrency=1, idempotent=False, expected_seconds=0.1)
assert_type(len(registry), int)
assert_type(list(registry), list[str])
assert_type(registry.get_schema("add"), dict[str, Any])
assert_type(registry.to_wire("openai"), list[dict[str, Any]])


def from_reply_to_messages(response: object) -> list[dict[str, Any]]:
    calls = extract_parallel_calls(response)
    assert_type(calls, list[ToolCall])
    results = execute_parallel(
        calls,
        registry,
        8,
        retry=RetryPolicy(on=(ConnectionError,), attempts=2, wait_initial=0.0),
        timeout=10.0,
        on_result=lambda result: print(result.content),
        progress=True,
    )
    assert_type(results, list[ToolResult])
    assert_type(execute_sequential(calls, registry), list[ToolResult])
    assert_type(execute_with_retry(calls[0], registry), ToolResult)
    completeness = check_parallel_completeness(results, calls)
    assert_type(completeness, Completeness)
    assert_type(completeness.failed, tuple[ToolResult, ...])
    assert_type(completeness.missing, tuple[ToolCall | None, ...])
    assert_type(aggregate_errors(results), str)
    return format_parallel_results(results, wire="anthropic")


def facts(result: ToolResult) -> None:
    assert_type(result.call.arguments, dict[str, Any])
    assert_type(result.call.problem, str | None)
    assert_type(result.call.sent_id, str | None)
    assert_type(result.success, bool)
    assert_type(result.error, str | None)
    assert_type(result.content, str)
    assert_type(result.attempts, Sequence[Attempt])
    assert_type(result.attempts[0].started, float)


def ask() -> Answer:
    client, model = connect()
    assert_type(client, OpenAI)
    assert_type(model, str)
    reply = answer("What time is it in Paris?", registry, client, model=model, stream=True)
    assert_type(reply.text, str)
    assert_type(reply.turns, list[Turn])
    assert_type(reply.messages, list[dict[str, Any]])
    return reply


def timeline(results: list[ToolResult]) -> float:
    measured = spans(results)
    assert_type(measured, list[Span])
    assert_type(schedule([0.3, 0.1, 0.2], 2), list[Span])
    assert_type(lower_bound([0.3, 0.1, 0.2], 2), float)
    assert_type(speedup(measured), float)
    return makespan(measured)


assert_type(ptc.ToolCall("x", "add", {"a": 1}).id, str)
