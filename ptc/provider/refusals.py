"""What real providers refuse, with their words; each was seen in the thread named beside it."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

Message = dict[str, Any]


class Refused(Exception):
    """A request that is answered with a status and with ``error``, as OpenAI's API has it.

    >>> Refused("Missing required parameter: 'model'.", "model").error["type"]
    'invalid_request_error'
    """

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
_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_LONGEST_ID, _LONGEST_NAME = 40, 64
_NAME = "^[a-zA-Z0-9_-]+$"


def check_request(request: Any) -> None:
    """Raise what a provider refuses: first wrong types, then who answers whom, then the tools.

    >>> check_request({"model": "m", "messages": [{"role": "user", "content": "Hello"}]})
    >>> check_request({"model": "m", "messages": []})
    Traceback (most recent call last):
    ptc.provider.refusals.Refused: Invalid 'messages': empty array. Expected an array ...
    """
    if not isinstance(request, dict):
        raise Refused(NOT_JSON)
    if request.get("model") is not None:
        _check_text(request["model"], "model")
    if request.get("stream") is not None:
        _check_kind(request["stream"], bool, "stream")
    messages = _objects(request, "messages", "")
    for index, message in enumerate(messages):
        _check_role(message, f"messages[{index}]")
    for index, message in enumerate(messages):
        _check_content(message, index)
    _check_pairing(messages)
    _check_tools(request)


def _check_role(message: Message, path: str) -> None:
    role = _text(message, "role", path)
    _check_choice(role, _ROLES, f"{path}.role")


def _check_content(message: Message, index: int) -> None:
    path, content = f"messages[{index}]", message.get("content")
    if calls_of(message) is not None:
        _check_calls(message, index)
    elif content is None:  # docker/docker-agent#63
        problem = "Invalid value for 'content': expected a string, got null."
        raise Refused(problem, f"messages.[{index}].content")
    if isinstance(content, list):  # langchain-ai/langgraphjs#506
        for number, part in enumerate(_objects(message, "content", path)):
            _text(part, "type", f"{path}.content[{number}]")
    elif content is not None and not isinstance(content, str):  # clusterzx/paperless-ai#748
        expected = "one of a string or array of objects"
        raise _wrong_type(content, expected, f"{path}.content")


def _check_calls(message: Message, index: int) -> None:
    seen = set()
    calls = _objects(message, "tool_calls", f"messages[{index}]")
    for place, item in enumerate(calls):
        path = f"messages[{index}].tool_calls[{place}]"
        function = _function(item, path)
        name = _text(function, "name", f"{path}.function")  # continuedev/continue#5091
        _check_name(name, f"{path}.function.name")  # mcp-use/mcp-use#90
        call_id = _text(item, "id", path)
        _check_length(call_id, _LONGEST_ID, f"{path}.id")  # agno-agi/agno#5382
        _check_arguments(function, f"{path}.function")
        if call_id in seen:  # BuilderIO/agent-native#2312
            raise Refused(f"Duplicate value for 'tool_call_id' of {call_id} in message[{index}]")
        seen.add(call_id)


def _check_arguments(function: Message, path: str) -> None:
    """Text of one JSON object; nothing is taken for no arguments, as by vLLM."""
    if function.get("arguments") == "":  # mudler/vllm.cpp#526
        return
    arguments = _text(function, "arguments", path)
    with suppress(Refused):
        if isinstance(read_json(arguments), dict):
            return
    # Alibaba's words, explyt/explyt#23. OpenAI itself lets these pass; vLLM refuses "null" too,
    # with words of its template (vllm-project/vllm#43851), and llama.cpp fails with a 500.
    raise Refused(
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
        problem = "messages with role 'tool' must be a response to a preceeding message with "
        raise Refused(f"Invalid parameter: {problem}'tool_calls'.", f"messages.[{at}].role")
    path = f"messages.[{at}].tool_call_id"
    sent = message.get("tool_call_id")
    if sent is None:  # run-llama/multi-agent-concierge#16
        problem = "Missing parameter 'tool_call_id': messages with role 'tool' must have a "
        raise Refused(f"{problem}'tool_call_id'.", path)
    _check_text(sent, f"messages[{at}].tool_call_id")
    _check_length(sent, _LONGEST_ID, f"messages[{at}].tool_call_id")
    if sent not in asked:  # dapr/dapr-agents#145
        problem = f"'tool_call_id' of '{sent}' not found in 'tool_calls' of previous message."
        raise Refused(f"Invalid parameter: {problem}", path)
    if sent in answered:  # agno-agi/agno#5116
        problem = f"of '{sent}', in messages[{answered[sent]}] and messages[{at}]."
        raise Refused(f"Invalid parameter: Duplicate value for 'tool_call_id' {problem}", path)
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
                problem = f"'{key}' is only allowed when 'tools' are specified."
                raise Refused(f"Invalid value for '{key}': {problem}", key)
        return
    names = set()
    for index, tool in enumerate(_objects(request, "tools", "")):  # empty: vllm-project/vllm#39780
        path = f"tools[{index}]"
        function = _function(tool, path)
        name = _text(function, "name", f"{path}.function")
        _check_name(name, f"{path}.function.name")  # Vortiago/mcp-azure-devops#30
        if "parameters" in function:
            path = f"{path}.function.parameters"
            _check_kind(function["parameters"], dict, path)
            _check_parameters(function["parameters"], name, path)
        if name in names:  # dataelement/Clawith#251
            raise Refused("Tool names must be unique.", code="invalid_request_error")
        names.add(name)


def _check_parameters(schema: dict[str, Any], name: str, path: str) -> None:
    """A tool's schema is that of an object, with properties, and says what its arrays hold."""
    kind = schema.get("type")
    problem = None
    if kind != "object":  # browserbase/stagehand#1159, alibaba/spring-ai-alibaba#4576
        problem = f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
    elif not isinstance(schema.get("properties"), dict):  # evalstate/fast-agent#143
        problem = "In context=(), object schema missing properties."
    elif (context := _array_without_items(schema, ())) is not None:  # modelscope/ms-agent#610
        problem = f"In context={context}, array schema missing items."
    if problem is not None:
        told = f"Invalid schema for function '{name}': {problem}"
        raise Refused(told, path, "invalid_function_parameters")


def _array_without_items(schema: Any, context: tuple[str, ...]) -> tuple[str, ...] | None:
    """Where in a schema an array doesn't say what it holds, or None."""
    if not isinstance(schema, dict):
        return None
    if schema.get("type") == "array" and not {"items", "prefixItems"} & schema.keys():
        return context
    inner = {("items",): schema.get("items")}
    if isinstance(schema.get("properties"), dict):
        inner |= {("properties", name): part for name, part in schema["properties"].items()}
    if isinstance(schema.get("anyOf"), list):
        inner |= {("anyOf", str(n)): part for n, part in enumerate(schema["anyOf"])}
    found = (_array_without_items(part, (*context, *way)) for way, part in inner.items())
    return next((place for place in found if place is not None), None)


# What a field must be. Each of these gives a field or checks one, and names its path.


def _field(holder: Message, key: str, path: str) -> Any:
    inner = f"{path}.{key}".lstrip(".")
    if key not in holder:  # bolna-ai/bolna#144, ServiceNow/TapeAgents#66
        raise Refused(
            f"Missing required parameter: '{inner}'.", inner, "missing_required_parameter"
        )
    return holder[key]


def _text(holder: Message, key: str, path: str) -> str:
    text = _field(holder, key, path)
    _check_text(text, f"{path}.{key}".lstrip("."))
    return text


def _objects(holder: Message, key: str, path: str) -> list[Message]:
    items, inner = _field(holder, key, path), f"{path}.{key}".lstrip(".")
    if not isinstance(items, list):
        raise _wrong_type(items, "an array of objects", inner)
    if not items:
        raise _empty("array", "an", inner)
    for index, item in enumerate(items):
        _check_kind(item, dict, f"{inner}[{index}]")
    return items


def _function(holder: Message, path: str) -> Message:
    """The function of a call, or of a tool."""
    kind = _text(holder, "type", path)
    _check_choice(kind, ("function",), f"{path}.type")
    function = _field(holder, "function", path)
    _check_kind(function, dict, f"{path}.function")
    return function


def _check_text(value: Any, path: str) -> None:
    _check_kind(value, str, path)
    if value == "":  # CopilotKit/CopilotKit#529
        raise _empty("string", "a", path)


def _check_kind(value: Any, kind: type, path: str) -> None:
    if not isinstance(value, kind):
        raise _wrong_type(value, _KINDS[kind], path)


def _check_choice(value: str, choices: Sequence[str], path: str) -> None:
    if value in choices:
        return
    *most, last = (f"'{choice}'" for choice in choices)
    supported = f"{', '.join(most)}, and {last}" if most else last
    problem = f"Invalid value: '{value}'. Supported values are: {supported}."
    raise Refused(problem, path, "invalid_value")  # run-llama/llama_index#17748


def _check_name(name: str, path: str) -> None:
    if not re.fullmatch("[a-zA-Z0-9_-]+", name):
        problem = "string does not match pattern. Expected a string that matches the pattern"
        raise Refused(f"Invalid '{path}': {problem} '{_NAME}'.", path, "invalid_value")
    _check_length(name, _LONGEST_NAME, path)  # ravitemer/mcphub.nvim#243


def _check_length(text: str, most: int, path: str) -> None:
    if len(text) > most:
        problem = f"string too long. Expected a string with maximum length {most}"
        problem = f"{problem}, but got a string with length {len(text)} instead."
        raise Refused(f"Invalid '{path}': {problem}", path, "string_above_max_length")


_KINDS = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def _wrong_type(value: Any, expected: str, path: str) -> Refused:
    got = _KINDS[type(value)]  # clusterzx/paperless-ai#748, aaif-goose/goose-mobile#20
    problem = f"Invalid type for '{path}': expected {expected}, but got {got} instead."
    return Refused(problem, path, "invalid_type")


def _empty(kind: str, article: str, path: str) -> Refused:
    expected = f"Expected {article} {kind} with minimum length 1"
    problem = f"empty {kind}. {expected}, but got an empty {kind} instead."
    return Refused(f"Invalid '{path}': {problem}", path, f"empty_{kind}")


def calls_of(message: Message) -> list[Message] | None:
    """The calls of an assistant's message, None where it has none.

    >>> calls_of({"role": "user", "content": "Hello"}) is None
    True
    """
    return message.get("tool_calls") if message["role"] == "assistant" else None


def read_json(text: str | bytes) -> Any:
    """The value of strict JSON text.

    >>> read_json("[NaN]")
    Traceback (most recent call last):
    ptc.provider.refusals.Refused: We could not parse the JSON body of your request. ...
    """

    def refuse(constant: str) -> None:
        raise ValueError(constant)  # NaN and Infinity are Python's, not JSON's

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise Refused(NOT_JSON) from None
