"""How each provider writes tool calls, tool results and tools: a class for each."""

import json
from copy import deepcopy
from typing import Any, ClassVar, NamedTuple

from ..calls import ToolCall
from ..options import fit_name
from ..text import to_json
from .reading import (
    CallBody,
    Slot,
    UnreadableReplyError,
    as_sent,
    cut_by,
    dict_at,
    excerpt,
    list_at,
    read_arguments,
    text_at,
)

_DEEPEST = 100  # levels of an object that Google's servers read


class Format:
    """What all formats share. A subclass says where things stand; it has no state."""

    signs: ClassVar[dict[str, type]]  # a reply has one of these keys, with a value of that type
    id_key = "id"
    function_key = ""  # of the part of a call with its name and arguments; "": the call itself
    arguments_key = "arguments"
    arguments_are_text = False
    needs_ids = True  # a history with an id missing is refused
    needs_arguments = True  # and so is one with arguments missing
    needs_type = False  # and a call without its type

    def message(self, reply: dict[str, Any]) -> Any:
        """The model's own message in a reply."""
        raise NotImplementedError

    def slots(self, message: Any) -> list[Slot]:
        """The places of the calls in that message."""
        raise NotImplementedError

    def entries(self, message: Any) -> list[Any]:
        """The calls in that message."""
        return [slot.entry for slot in self.slots(message)]

    def cut(self, reply: dict[str, Any]) -> str | None:
        """Why the provider ended the reply early; None if it did not."""
        raise NotImplementedError

    def answer(self, call: ToolCall, content: str, success: bool) -> dict[str, Any]:
        """The answer to one call."""
        raise NotImplementedError

    def turn(self, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The messages that all answers make."""
        return answers

    def tool(self, tool: Any) -> dict[str, Any]:
        """One tool, of an object with ``name``, ``description`` and ``schema``."""
        raise NotImplementedError

    def tools(self, described: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The list of all tools."""
        return described

    def body(self, call: Any) -> dict[str, Any] | None:
        """The part of a call that has its name and arguments; None where there is none."""
        if self.function_key and isinstance(call, dict):
            is_flat = "name" in call and self.function_key not in call
            call = call if is_flat else call.get(self.function_key)
        return call if isinstance(call, dict) else None

    def read_call(self, call: Any) -> CallBody:
        """What a call asks for, whatever it looks like."""
        body = self.body(call)
        if body and (name := text_at(body, "name")):
            return name, *read_arguments(body.get(self.arguments_key))
        problem = f"no function is named in {excerpt(call)}; send its name and arguments"
        return "", {}, problem

    def written(self, arguments: dict[str, Any]) -> Any:
        """Arguments as this format has them."""
        return to_json(arguments) if self.arguments_are_text else arguments

    def new_body(self, call: ToolCall) -> dict[str, Any]:
        """The part with name and arguments, made anew."""
        return {"name": fit_name(call.name), self.arguments_key: self.written(call.arguments)}

    def new_call(self, call: ToolCall) -> dict[str, Any]:
        """A whole call, made anew."""
        id = {self.id_key: call.id} if self.needs_ids else {}
        if self.function_key:
            return id | {"type": "function", self.function_key: self.new_body(call)}
        return id | self.new_body(call)


class OpenAIChat(Format):
    """Chat Completions, which most other servers speak too."""

    signs: ClassVar[dict[str, type]] = {"choices": list}
    function_key = "function"
    arguments_are_text = True
    needs_type = True

    def message(self, reply: dict[str, Any]) -> Any:
        choices = reply["choices"]
        return _full(choices[0], "message") if choices else {}

    def slots(self, message: Any) -> list[Slot]:
        return _slots(self.entries(message))

    def entries(self, message: Any) -> list[Any]:
        return list_at(message, "tool_calls")

    def cut(self, reply: dict[str, Any]) -> str | None:
        choices = reply["choices"]
        return cut_by("finish_reason", choices[0].get("finish_reason")) if choices else None

    def answer(self, call: ToolCall, content: str, success: bool) -> dict[str, Any]:
        return {"role": "tool", "tool_call_id": call.id, "content": content}

    def tool(self, tool: Any) -> dict[str, Any]:
        return {"type": "function", "function": _described(tool, "parameters")}


class Ollama(OpenAIChat):
    """Ollama's own chat API: arguments are objects, ids are optional, names answer."""

    signs: ClassVar[dict[str, type]] = {"message": dict}
    arguments_are_text = False
    needs_ids = needs_arguments = needs_type = False

    def message(self, reply: dict[str, Any]) -> Any:
        return _full(reply, "message")

    def cut(self, reply: dict[str, Any]) -> str | None:
        return cut_by("done_reason", reply.get("done_reason"))

    def answer(self, call: ToolCall, content: str, success: bool) -> dict[str, Any]:
        id = {"tool_call_id": call.sent_id} if call.sent_id else {}
        return {"role": "tool", "tool_name": fit_name(call.name), "content": content} | id


class MessageList(OpenAIChat):
    """``{"message": [{"tool_calls": …}]}``, the shape of the book chapter that ptc began with."""

    signs: ClassVar[dict[str, type]] = {"message": list}
    needs_type = False

    def message(self, reply: dict[str, Any]) -> Any:
        messages = reply["message"]
        return messages[0] if len(messages) == 1 else messages

    def slots(self, message: Any) -> list[Slot]:
        messages = message if isinstance(message, list) else [message]
        return [slot for one in messages for slot in _slots(list_at(one, "tool_calls"))]

    entries = Format.entries

    def cut(self, reply: dict[str, Any]) -> str | None:
        ends = ((key, reply.get(key)) for key in ("finish_reason", "stop_reason"))
        return next((cut for key, end in ends if (cut := cut_by(key, end))), None)


class OpenAIResponses(Format):
    """Responses: calls are items among others, and answered by ``call_id``."""

    signs: ClassVar[dict[str, type]] = {"output": list}
    id_key = "call_id"
    arguments_are_text = True

    def message(self, reply: dict[str, Any]) -> Any:
        return reply["output"]

    def slots(self, message: Any) -> list[Slot]:
        return _slots(message, "function_call")

    def cut(self, reply: dict[str, Any]) -> str | None:
        ends = [text_at(slot.entry, "status") for slot in self.slots(reply["output"])]
        status = text_at(reply, "status") or ("incomplete" if "incomplete" in ends else "completed")
        if status == "completed":
            return None
        details, error = reply.get("incomplete_details"), reply.get("error")
        reason = text_at(details, "reason") or text_at(error, "message")
        return f"status: {status} ({reason})" if reason else f"status: {status}"

    def answer(self, call: ToolCall, content: str, success: bool) -> dict[str, Any]:
        return {"type": "function_call_output", "call_id": call.id, "output": content}

    def tool(self, tool: Any) -> dict[str, Any]:
        # strict, its default, would refuse optional parameters
        return {"type": "function", "strict": False} | _described(tool, "parameters")


class Anthropic(Format):
    """Messages: calls are blocks, and one user message answers all of them."""

    signs: ClassVar[dict[str, type]] = {"content": list}
    arguments_key = "input"

    def message(self, reply: dict[str, Any]) -> Any:
        return {"role": "assistant", "content": reply["content"]}

    def slots(self, message: Any) -> list[Slot]:
        return _slots(message["content"], "tool_use")

    def cut(self, reply: dict[str, Any]) -> str | None:
        return cut_by("stop_reason", reply.get("stop_reason"))

    def answer(self, call: ToolCall, content: str, success: bool) -> dict[str, Any]:
        answer = {"type": "tool_result", "tool_use_id": call.id, "content": content}
        return answer if success else answer | {"is_error": True}

    def turn(self, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"role": "user", "content": answers}]

    def tool(self, tool: Any) -> dict[str, Any]:
        return _described(tool, "input_schema")


class Bedrock(Format):
    """Bedrock's Converse: calls are ``toolUse`` blocks, and one user message answers them."""

    signs: ClassVar[dict[str, type]] = {"output": dict}
    id_key = "toolUseId"
    arguments_key = "input"

    def message(self, reply: dict[str, Any]) -> Any:
        return _full(reply["output"], "message")

    def slots(self, message: Any) -> list[Slot]:
        blocks = [block for block in list_at(message, "content") if isinstance(block, dict)]
        own = [block for block in blocks if block.get("toolUse") is not None]
        return [Slot(block, "toolUse") for block in own if not _is_the_servers(block["toolUse"])]

    def cut(self, reply: dict[str, Any]) -> str | None:
        return cut_by("stopReason", reply.get("stopReason"))

    def answer(self, call: ToolCall, content: str, success: bool) -> dict[str, Any]:
        status = "success" if success else "error"
        answer = {"toolUseId": call.id, "content": [{"text": content}], "status": status}
        return {"toolResult": answer}

    def turn(self, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"role": "user", "content": answers}]

    def tool(self, tool: Any) -> dict[str, Any]:
        text = {"description": tool.description} if tool.description else {}  # "" is refused
        spec = {"name": tool.name} | text | {"inputSchema": {"json": _object_schema(tool.schema)}}
        return {"toolSpec": spec}


class Gemini(Format):
    """generateContent: calls are parts; ids are optional, and echoed where one was sent."""

    signs: ClassVar[dict[str, type]] = {
        "candidates": list,
        "promptFeedback": dict,
        "prompt_feedback": dict,
    }
    arguments_key = "args"
    needs_ids = needs_arguments = False

    def message(self, reply: dict[str, Any]) -> Any:
        candidates = list_at(reply, "candidates")
        if not candidates:
            return {}
        if self._end(candidates[0]) is None:
            return _full(candidates[0], "content")
        return dict_at(candidates[0], "content")  # blocked ones come without

    def slots(self, message: Any) -> list[Slot]:
        keys = ("functionCall", "function_call")  # by the wire's name, or the SDK's
        parts = [part for part in list_at(message, "parts") if isinstance(part, dict)]
        return [Slot(part, key) for part in parts for key in keys if part.get(key) is not None]

    def cut(self, reply: dict[str, Any]) -> str | None:
        candidates = list_at(reply, "candidates")
        end = self._end(candidates[0]) if candidates else None
        is_cut = end not in (None, "STOP", "FINISH_REASON_UNSPECIFIED")
        return f"finishReason: {end}" if is_cut else None

    def _end(self, candidate: Any) -> str | None:
        end = text_at(candidate, "finishReason") or text_at(candidate, "finish_reason")
        return getattr(end, "value", end)  # the SDK's dump has an enum

    def answer(self, call: ToolCall, content: str, success: bool) -> dict[str, Any]:
        id = {"id": call.sent_id} if call.sent_id else {}
        response = {"output": _plain(content)} if success else json.loads(content)
        return {"functionResponse": id | {"name": fit_name(call.name), "response": response}}

    def turn(self, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"role": "user", "parts": answers}]

    def tool(self, tool: Any) -> dict[str, Any]:
        return _described(tool, "parametersJsonSchema")

    def tools(self, described: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"functionDeclarations": described}]


WIRES: dict[str, Format] = {
    "openai": OpenAIChat(),
    "openai-responses": OpenAIResponses(),
    "anthropic": Anthropic(),
    "bedrock": Bedrock(),
    "gemini": Gemini(),
    "ollama": Ollama(),
}
_SHAPES = WIRES | {"messages with tool_calls": MessageList()}


class Reply(NamedTuple):
    """A whole reply: its format, the model's own message, and why it was cut, if it was."""

    form: Format
    message: Any
    cut: str | None


def read_reply(response: Any) -> Reply:
    """A dict's or an SDK object's format and message. Raises UnreadableReplyError for others."""
    data = as_sent(response)
    forms = list(_SHAPES.values()) if _may_be_whole(data) else []
    fits = [form for form in forms if any(_has(data, *sign) for sign in form.signs.items())]
    if len(fits) != 1:
        came = excerpt(list(data) if isinstance(data, dict) else type(data).__name__)
        known = "; ".join(f"{name} ({', '.join(form.signs)})" for name, form in _SHAPES.items())
        raise UnreadableReplyError(f"not a whole reply: {came}; known shapes: {known}")
    form = fits[0]
    message = form.message(data)
    return Reply(form, message, form.cut(data))


def format_named(wire: str) -> Format:
    """The format of that name. Raises ValueError, with the known names, where there is none."""
    if wire not in list(WIRES):
        raise ValueError(f"no wire format named {wire!r}; known: {list(WIRES)}")
    return WIRES[wire]


def _may_be_whole(data: Any) -> bool:
    """Is it neither a message taken out of its reply, nor a chunk of one?"""
    is_message = isinstance(data, dict) and "tool_calls" in data
    return isinstance(data, dict) and not is_message and not _is_chunk(data)


def _is_chunk(data: dict[str, Any]) -> bool:
    return data.get("object") == "chat.completion.chunk"


def _has(data: dict[str, Any], key: str, kind: type) -> bool:
    return isinstance(data.get(key), kind)


def _full(data: Any, key: str) -> dict[str, Any]:
    """The message at a key. No message is an error: no calls would mean that the model is done."""
    message = dict_at(data, key)
    if not message:
        raise UnreadableReplyError(f"broken reply: no message at {key!r} in {excerpt(data)}")
    return message


def _slots(items: list[Any], kind: str | None = None) -> list[Slot]:
    every = [Slot(items, index) for index in range(len(items))]
    return [slot for slot in every if kind is None or text_at(slot.entry, "type") == kind]


def _is_the_servers(call: Any) -> bool:
    return text_at(call, "type") == "server_tool_use"


def _described(tool: Any, schema_key: str) -> dict[str, Any]:
    text = tool.description or ""
    return {"name": tool.name, "description": text, schema_key: _object_schema(tool.schema)}


def _object_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A copy with the least that every provider wants: the type, and its properties."""
    copy = deepcopy(dict(schema))
    copy.setdefault("type", "object")
    copy.setdefault("properties", {})
    return copy


def _plain(content: str) -> Any:
    """JSON as plain data; as text where it is nested more deeply than the wire can carry."""
    return content if _depth(content) > _DEEPEST else json.loads(content)


def _depth(content: str) -> int:
    if content.count("[") + content.count("{") <= _DEEPEST:
        return 0  # as nearly always: there can't be more levels than brackets
    depth = deepest = 0
    in_text = False
    for character in content.replace(r"\\", "").replace(r"\"", ""):
        if character == '"':
            in_text = not in_text
        elif not in_text:
            depth += (character in "[{") - (character in "]}")
            deepest = max(deepest, depth)
    return deepest
