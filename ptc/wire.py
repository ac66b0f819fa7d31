"""Wire formats: how each provider writes tool calls, tool results and tools, in one table."""

import json
import warnings
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from .calls import ToolCall, ToolResult
from .replies import as_sent, faults, get, places, quote, read_call, text_at, unique
from .text import secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFormat:
    """One provider's JSON: where a reply has its calls, and how answers and tools are written."""

    signs: dict[str, type]  # a reply of this format has one of these keys, with such a value
    keys: tuple[str, str, str]  # of a call's id, of its part with name and arguments, of these
    arguments: type = dict  # str: as JSON text
    strict: bool = True  # a history with ids or arguments missing is refused
    typed: bool = False  # and so is a call without its type
    message: Callable[[dict], Any]  # the model's own message in a reply
    calls: Callable[[Any], list[tuple]]  # the calls in that message: (what holds it, its key)
    answer: Callable[[ToolCall, str, bool], dict]  # from a call, its content and its success
    turn: Callable[[list[dict]], list[dict]] = list  # the messages made of all answers
    tool: Callable[[Any], dict]
    tools: Callable[[list[dict]], list[dict]] = list


def _described(tool: Any, schema: str) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description or "", schema: tool.schema}


# fmt: off
WIRES = {
    "openai": WireFormat(
        signs={"choices": list}, keys=("id", "function", "arguments"), arguments=str, typed=True,
        message=lambda reply: get((reply["choices"] or [{}])[0], "message", dict),
        calls=lambda message: places(get(message, "tool_calls", list)),
        answer=lambda call, text, _: {"role": "tool", "tool_call_id": call.id, "content": text},
        tool=lambda tool: {"type": "function", "function": _described(tool, "parameters")}),
    "openai-responses": WireFormat(
        signs={"output": list}, keys=("call_id", "", "arguments"), arguments=str,
        message=lambda reply: reply["output"],
        calls=lambda items: places(items, kind="function_call"),
        answer=lambda call, text, _:
            {"type": "function_call_output", "call_id": call.id, "output": text},
        # strict, its default, would refuse optional parameters
        tool=lambda tool: {"type": "function", "strict": False} | _described(tool, "parameters")),
    "anthropic": WireFormat(
        signs={"content": list}, keys=("id", "", "input"),
        message=lambda reply: {"role": "assistant", "content": reply["content"]},
        calls=lambda message: places(message["content"], kind="tool_use"),
        answer=lambda call, text, success:
            {"type": "tool_result", "tool_use_id": call.id, "content": text}
            | ({} if success else {"is_error": True}),
        turn=lambda blocks: [{"role": "user", "content": blocks}],
        tool=lambda tool: _described(tool, "input_schema")),
    "gemini": WireFormat(
        signs={"candidates": list, "promptFeedback": dict, "prompt_feedback": dict},
        keys=("id", "", "args"), strict=False,
        message=lambda reply: get((get(reply, "candidates", list) or [{}])[0], "content", dict),
        calls=lambda content: [  # by the wire's name, or the SDK's
            (part, key) for part in get(content, "parts", list) if isinstance(part, dict)
            for key in ("functionCall", "function_call") if part.get(key) is not None],
        answer=lambda call, text, success: {"functionResponse":
            ({"id": call.sent_id} if call.sent_id else {}) | {"name": call.name}
            | {"response": json.loads(f'{{"output": {text}}}' if success else text)}},
        turn=lambda parts: [{"role": "user", "parts": parts}],
        tool=lambda tool: _described(tool, "parametersJsonSchema"),
        tools=lambda declarations: [{"functionDeclarations": declarations}]),
}
WIRES["ollama"] = replace(
    WIRES["openai"], signs={"message": dict}, arguments=dict, strict=False, typed=False,
    message=lambda reply: reply["message"],
    answer=lambda call, text, _: {"role": "tool", "tool_name": call.name, "content": text}
        | ({"tool_call_id": call.sent_id} if call.sent_id else {}))
_SHAPES = WIRES | {"messages with tool_calls": replace(
    WIRES["openai"], signs={"message": list}, typed=False,
    message=lambda reply: reply["message"][0] if len(reply["message"]) == 1 else reply["message"],
    calls=lambda own: places(*(
        get(each, "tool_calls", list) for each in (own if isinstance(own, list) else [own]))))}
# fmt: on


def extract_parallel_calls(response: Any) -> list[ToolCall]:
    """The tool calls of a model's whole reply (a dict, or an SDK's object), in request order.

    One that can't be run as it came has a ``problem``. Raises ValueError at an unknown shape.
    """
    wire, message = _opened(response)
    entries = [holder[place] for holder, place in wire.calls(message)]
    ids = [text_at(entry, wire.keys[0]) for entry in entries]
    made = zip(unique(ids), entries, ids, strict=True)
    return [ToolCall(new, *read_call(entry, wire), sent) for new, entry, sent in made]


def _opened(response: Any) -> tuple[WireFormat, Any]:
    """A reply's wire format, and the model's own message in it."""
    reply = as_sent(response)
    whole = isinstance(reply, dict) and "tool_calls" not in reply  # there: a message taken out
    signs = [(w, *sign) for w in _SHAPES.values() for sign in w.signs.items() if whole]
    fits = [wire for wire, key, kind in signs if isinstance(reply.get(key), kind)]
    if len(set(map(id, fits))) != 1 or reply.get("object") == "chat.completion.chunk":
        came = quote(list(reply) if isinstance(reply, dict) else type(reply).__name__)
        known = "; ".join(f"{name} ({', '.join(w.signs)})" for name, w in _SHAPES.items())
        raise ValueError(f"no whole reply: {came}; known shapes: {known}")
    return fits[0], fits[0].message(reply)


def _named(wire: str) -> WireFormat:
    if wire not in list(WIRES):
        raise ValueError(f"no wire format named {wire!r}; known: {list(WIRES)}")
    return WIRES[wire]


def format_parallel_results(results: Iterable[ToolResult], wire: str = "openai") -> list[dict]:
    """The messages that answer a batch, in request order; no results gives ``[]``."""
    form, hidden = _named(wire), secrets()
    answers = [form.answer(r.call, r.content_hiding(hidden), r.success) for r in results]
    return form.turn(answers) if answers else []


def describe_tools(tools: Iterable[Any], wire: str) -> list[dict]:
    """A provider's ``tools=`` list, of objects with ``name``, ``description`` and ``schema``."""
    form = _named(wire)
    described = [form.tool(tool) for tool in tools]
    return form.tools(described) if described else []


def assistant_message(response: Any, calls: Sequence[ToolCall]) -> dict | list:
    """The model's own message, which the history needs before the results of its ``calls``.

    Untouched but for what makes every later request fail: an id missing or doubled, arguments
    that are no JSON object, no name. These are mended on a copy, and a UserWarning says which.
    """
    wire, message = _opened(response)
    if not message or len(wire.calls(message)) != len(calls):
        raise ValueError(f"these {len(calls)} calls are not those of the reply's message")
    if any(faults(message, calls, wire)):
        message = deepcopy(message)  # the response stays as it came
        for holder, place in wire.calls(message):
            holder[place] = deepcopy(holder[place])  # one object may stand in two places
        found = list(faults(message, calls, wire))
        for part, key, value, _ in found:
            part[key] = value
        mended = ", ".join(f"{key} of {call_id}" for _, key, _, call_id in found)
        warnings.warn(f"mended in the model's message: {mended}", stacklevel=2)
    return message
