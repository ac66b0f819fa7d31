"""What real providers refuse, with their words; each was seen in the thread named beside it."""

import json
import re
from contextlib import suppress
from typing import Any

Message = dict[str, Any]


class Refused(Exception):
    def __init__(
        self, message: str, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        kind = "invalid_request_error" if status < 500 else "server_error"
        self.status = status
        self.error = {"message": message, "type": kind, "param": param, "code": code}


NOT_JSON = (  # ChatGPTNextWeb/NextChat#4064
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was "
    "not valid JSON. If you have trouble figuring out how to fix this, please contact us through "
    "our help center at help.openai.com.)"
)
_KINDS = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string"}
_KINDS |= {list: "an array", dict: "an object", type(None): "null"}
_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_FUNCTION = {"type": ("function",), "function": {"name": str}}
_CALLS = [_FUNCTION | {"id": str}]


def check_request(request: Any) -> None:
    """Raise what a provider refuses: first a field's type, then who answers whom."""
    if not isinstance(request, dict):
        raise Refused(NOT_JSON)
    for key, kind in (("model", str), ("stream", bool)):
        if request.get(key) is not None:
            _check(request[key], kind, key)
    _check(request, {"messages": [{"role": _ROLES}]}, "")
    for index, message in enumerate(request["messages"]):
        _check_content(message, index)
    _check_pairing(request["messages"])
    _check_tools(request)


def _check(value: Any, shape: Any, path: str) -> None:
    """Refuse a value of another shape: a type, a dict of keys, a list of one, a tuple of texts."""
    kind = {tuple: str, type: shape}.get(type(shape), type(shape))
    if not isinstance(value, kind):  # clusterzx/paperless-ai#748, aaif-goose/goose-mobile#20
        told = "an array of objects" if kind is list else _KINDS[kind]
        told = f"Invalid type for '{path}': expected {told}, but got {_KINDS[type(value)]} instead."
        raise Refused(told, path, "invalid_type")
    if value in ("", []):  # CopilotKit/CopilotKit#529; of tools: vllm-project/vllm#39780
        noun, article = ("string", "a") if value == "" else ("array", "an")
        told = f"Expected {article} {noun} with minimum length 1, but got an empty {noun} instead."
        raise Refused(f"Invalid '{path}': empty {noun}. {told}", path, f"empty_{noun}")
    if isinstance(shape, tuple) and value not in shape:  # run-llama/llama_index#17748
        *most, last = (f"'{name}'" for name in shape)
        told = f"{', '.join(most)}, and {last}" if most else last
        told = f"Invalid value: '{value}'. Supported values are: {told}."
        raise Refused(told, path, "invalid_value")
    if isinstance(shape, list):
        for index, item in enumerate(value):
            _check(item, shape[0], f"{path}[{index}]")
    for key in shape if isinstance(shape, dict) else ():
        inner = f"{path}.{key}".lstrip(".")
        if key not in value:  # bolna-ai/bolna#144, ServiceNow/TapeAgents#66
            told = f"Missing required parameter: '{inner}'."
            raise Refused(told, inner, "missing_required_parameter")
        _check(value[key], shape[key], inner)


def _check_content(message: Message, index: int) -> None:
    path, content, calls = f"messages[{index}]", message.get("content"), calls_of(message)
    if calls is not None:
        _check_calls(calls, f"{path}.tool_calls", index)
    elif content is None:  # docker/docker-agent#63
        told = "Invalid value for 'content': expected a string, got null."
        raise Refused(told, f"messages.[{index}].content")
    if isinstance(content, list):  # langchain-ai/langgraphjs#506
        _check(content, [{"type": str}], f"{path}.content")
    elif content is not None and not isinstance(content, str):  # clusterzx/paperless-ai#748
        told = f"one of a string or array of objects, but got {_KINDS[type(content)]} instead."
        told = f"Invalid type for '{path}.content': expected {told}"
        raise Refused(told, f"{path}.content", "invalid_type")


def _check_calls(calls: list[Message], path: str, index: int) -> None:
    _check(calls, _CALLS, path)
    seen = set()
    for place, item in enumerate(calls):
        text = item["function"].get("arguments")
        if text != "":  # which is taken for none, as by vLLM: mudler/vllm.cpp#526
            where = f"{path}[{place}].function"
            _check(item["function"], {"arguments": str}, where)
            _check_arguments(text)
        if item["id"] in seen:  # BuilderIO/agent-native#2312
            told = f"Duplicate value for 'tool_call_id' of {item['id']} in message[{index}]"
            raise Refused(told)
        seen.add(item["id"])


def _check_arguments(text: str) -> None:
    with suppress(Refused):
        if isinstance(read_json(text), dict):
            return
    raise Refused(  # Alibaba's words, explyt/explyt#23: OpenAI itself lets these pass
        '<400> InternalError.Algo.InvalidParameter: The "function.arguments" parameter of the '
        "code model must be in JSON format.",
        code="invalid_parameter_error",
    )


def _check_pairing(messages: list[Message]) -> None:
    asked: set[str] = set()
    answered: dict[str, int] = {}  # an id, and the place of the message that answers it
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            _check_answer(message, index, asked, answered)
            continue
        _check_answered(asked, answered, index)
        asked, answered = {item["id"] for item in calls_of(message) or []}, {}
    _check_answered(asked, answered, len(messages) - 1)


def _check_answer(message: Message, at: int, asked: set[str], answered: dict[str, int]) -> None:
    if not asked:  # smarter-sh/smarter#264; the spelling is OpenAI's
        told = "messages with role 'tool' must be a response to a preceeding message with "
        raise Refused(f"Invalid parameter: {told}'tool_calls'.", f"messages.[{at}].role")
    path = f"messages.[{at}].tool_call_id"
    sent = message.get("tool_call_id")
    if sent is None:  # run-llama/multi-agent-concierge#16
        told = "Missing parameter 'tool_call_id': messages with role 'tool' must have a "
        raise Refused(f"{told}'tool_call_id'.", path)
    _check(sent, str, f"messages[{at}].tool_call_id")
    if sent not in asked:  # dapr/dapr-agents#145
        told = f"'tool_call_id' of '{sent}' not found in 'tool_calls' of previous message."
        raise Refused(f"Invalid parameter: {told}", path)
    if sent in answered:  # agno-agi/agno#5116
        told = f"of '{sent}', in messages[{answered[sent]}] and messages[{at}]."
        raise Refused(f"Invalid parameter: Duplicate value for 'tool_call_id' {told}", path)
    answered[sent] = at


def _check_answered(asked: set[str], answered: dict[str, int], at: int) -> None:
    if missing := sorted(asked - answered.keys()):  # router-for-me/CLIProxyAPI#2798
        raise Refused(
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            + ", ".join(missing),
            f"messages.[{at}].role",
        )


def _check_tools(request: dict[str, Any]) -> None:
    if request.get("tools") is None:
        for key in ("tool_choice", "parallel_tool_calls"):  # dapr/dapr-agents#248, openai/swarm#30
            if request.get(key) is not None:
                told = f"'{key}' is only allowed when 'tools' are specified."
                raise Refused(f"Invalid value for '{key}': {told}", key)
        return
    _check(request["tools"], [_FUNCTION], "tools")
    for index, tool in enumerate(request["tools"]):
        path = f"tools[{index}].function"
        _check(tool["function"].get("parameters", {}), dict, f"{path}.parameters")
        if not re.fullmatch("[a-zA-Z0-9_-]+", tool["function"]["name"]):
            told = f"Invalid '{path}.name': string does not match pattern. Expected a string that "
            told += "matches the pattern '^[a-zA-Z0-9_-]+$'."  # Vortiago/mcp-azure-devops#30
            raise Refused(told, f"{path}.name", "invalid_value")


def calls_of(message: Message) -> list[Message] | None:
    return message.get("tool_calls") if message["role"] == "assistant" else None


def read_json(text: str | bytes) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)  # NaN and Infinity are Python's, not JSON's

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise Refused(NOT_JSON) from None
