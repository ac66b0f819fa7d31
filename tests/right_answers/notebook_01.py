"""Right answers to the exercises of notebook 01."""

import json

from ptc import ToolCall, extract_parallel_calls

# --- 01.1


def in_a_loop(response):
    calls = []
    message = response.choices[0].message
    if message.tool_calls:
        for call in message.tool_calls:
            function = call.function
            calls.append(ToolCall(call.id, function.name, json.loads(function.arguments)))
    return calls


def asks_first(response):
    tool_calls = response.choices[0].message.tool_calls
    if tool_calls is None:
        return []
    return [
        ToolCall(id=c.id, name=c.function.name, arguments=json.loads(c.function.arguments))
        for c in tool_calls
    ]


def through_a_dict(response):
    message = response.model_dump()["choices"][0]["message"]
    return [
        ToolCall(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in message.get("tool_calls") or []
    ]


def with_an_error_of_its_own(response):
    if not hasattr(response, "choices"):
        raise TypeError(f"not a reply: {response!r}")
    return in_a_loop(response)


def generated(response):
    def calls():
        for call in response.choices[0].message.tool_calls or ():
            yield ToolCall(call.id, call.function.name, json.loads(call.function.arguments))

    return list(calls())


# --- 01.3


def read_in_the_loop(response):
    calls = []
    for call in response.choices[0].message.tool_calls or []:
        text, arguments, problem = call.function.arguments, {}, None
        try:
            value = json.loads(text) if text else {}
            if isinstance(value, dict):
                arguments = value
            else:
                problem = f"expected an object, got {text}"
        except json.JSONDecodeError as error:
            problem = f"{error.msg}: {text!r}"
        calls.append(ToolCall(call.id, call.function.name, arguments, problem=problem))
    return calls


def raises_itself(response):
    def arguments_of(text):
        value = json.loads(text)
        if type(value) is not dict:
            raise ValueError("this is JSON, and not an object")
        return value

    calls = []
    for call in response.choices[0].message.tool_calls or []:
        name, text = call.function.name, call.function.arguments or "{}"
        try:
            calls.append(ToolCall(call.id, name, arguments_of(text)))
        except ValueError as error:
            calls.append(ToolCall(call.id, name, {}, f"{error} (you sent {text})"))
    return calls


def with_the_package(response):
    response.choices  # noqa: B018, another shape raises
    return extract_parallel_calls(response)


# --- 01.4


def block_by_block(reply):
    calls = []
    for block in reply["content"]:
        if block["type"] != "tool_use":
            continue
        calls.append(ToolCall(id=block["id"], name=block["name"], arguments=block["input"]))
    return calls


def filtered(reply):
    uses = filter(lambda block: block.get("type") == "tool_use", reply["content"])
    return [ToolCall(use["id"], use["name"], dict(use["input"])) for use in uses]


def by_pattern(reply):
    calls = []
    for block in reply["content"]:
        match block:
            case {"type": "tool_use", "id": id, "name": name, "input": arguments}:
                calls.append(ToolCall(id, name, arguments))
    return calls


def says_what_is_missing(reply):
    if "content" not in reply:
        raise ValueError("not a reply of the Messages API")
    return block_by_block(reply)


RIGHT = {
    "01.1": [
        *(in_a_loop, asks_first, through_a_dict, with_an_error_of_its_own, generated),
        extract_parallel_calls,
    ],
    "01.3": [read_in_the_loop, raises_itself, with_the_package],
    "01.4": [block_by_block, filtered, by_pattern, says_what_is_missing],
    "01.2": [0, 0.0, len([])],
}
