"""How each provider writes tool calls, tool results and tools, in one table."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..calls import ToolCall
from .reading import get, places


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
