"""The wire formats: each provider's reply in, its request out, checked by its own SDK's types."""

import base64
import copy
import doctest
import json
import re
import warnings
from collections.abc import Iterable
from functools import cache
from types import SimpleNamespace
from typing import Any

import anthropic.types
import botocore.session
import ollama
import openai.types.chat
import openai.types.responses
import pytest
from botocore.validate import ParamValidator
from google.genai import types as genai
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

import ptc.wire
from ptc.calls import ToolCall, ToolResult
from ptc.provider.refusals import check_request
from ptc.wire import (
    UnreadableReplyError,
    assistant_message,
    describe_tools,
    extract_parallel_calls,
    format_parallel_results,
)
from ptc.wire.formats import WIRES

NAMES = ["get_time", "get_weather", "get_weather"]
ARGUMENTS: list[dict] = [
    {},
    {"city": "Paris", "days": 2},
    {"city": "Łódź", "odd key": {"x_y": None}},
]
IDS = ["call_a", "call_b", "call_c"]
SIGNATURE = base64.b64encode(bytes(range(248, 256)) + b"why").decode()  # has + and / in it
TRIPLES = list(zip(IDS, NAMES, ARGUMENTS, strict=True))


# One reply of each provider, as JSON: three calls, beside text and reasoning.
REPLIES: dict[str, dict] = {
    "openai": {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "logprobs": None,
                "message": {
                    "role": "assistant",
                    "content": "Let me look.",
                    "refusal": None,
                    "annotations": [],
                    "reasoning_content": "a field that only some servers have",
                    "tool_calls": [
                        {
                            "id": i,
                            "type": "function",
                            "function": {"name": n, "arguments": json.dumps(a)},
                        }
                        for i, n, a in TRIPLES
                    ],
                },
            }
        ],
    },
    "openai-responses": {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}],
            },
            *(
                {
                    "type": "function_call",
                    "id": f"fc_{place}",
                    "call_id": i,
                    "name": n,
                    "arguments": json.dumps(a),
                    "status": "completed",
                }
                for place, (i, n, a) in enumerate(TRIPLES)
            ),
        ],
    },
    "anthropic": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "EqQB+/=="},
            {"type": "text", "text": "Let me look.", "citations": None},
            {
                "type": "server_tool_use",
                "id": "srv_1",
                "name": "web_search",
                "input": {"query": "q"},
            },
            *({"type": "tool_use", "id": i, "name": n, "input": a} for i, n, a in TRIPLES),
        ],
    },
    "gemini": {
        "candidates": [
            {
                "index": 0,
                "finishReason": "STOP",
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "Let me look.", "thought": True},
                        {"toolCall": {"id": "srv_1", "toolType": "GOOGLE_SEARCH_WEB", "args": {}}},
                        *({"functionCall": {"id": i, "name": n, "args": a}} for i, n, a in TRIPLES),
                    ],
                },
            }
        ],
        "modelVersion": "m",
    },
    "ollama": {
        "model": "m",
        "created_at": "2026-01-01T00:00:00Z",
        "done": True,
        "message": {
            "role": "assistant",
            "content": "",
            "thinking": "hm",
            "tool_calls": [{"function": {"name": n, "arguments": a}} for _, n, a in TRIPLES],
        },
    },
}
REPLIES["bedrock"] = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "EqQB+/=="}}},
                {"text": "Let me look."},
                {
                    "toolUse": {
                        "toolUseId": "srv_1",
                        "name": "web_search",
                        "input": {"query": "q"},
                        "type": "server_tool_use",
                    }
                },
                *({"toolUse": {"toolUseId": i, "name": n, "input": a}} for i, n, a in TRIPLES),
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    "metrics": {"latencyMs": 1},
}
REPLIES["gemini"]["candidates"][0]["content"]["parts"][2]["thoughtSignature"] = SIGNATURE

RESPONSE_TYPES: dict[str, Any] = {
    "openai": openai.types.chat.ChatCompletion,
    "openai-responses": openai.types.responses.Response,
    "anthropic": anthropic.types.Message,
    "gemini": genai.GenerateContentResponse,
    "ollama": ollama.ChatResponse,
}
REQUEST_TYPES: dict[str, Any] = {
    "openai": openai.types.chat.ChatCompletionMessageParam,
    "openai-responses": openai.types.responses.ResponseInputItemParam,
    "anthropic": anthropic.types.MessageParam,
    "gemini": genai.Content,
    "ollama": ollama.Message,
}


class BedrockShape:
    """A shape of Bedrock's own service model, which has no types; boto3 gives plain dicts."""

    def __init__(self, operation: str, *path: str, output: bool = False) -> None:
        self.operation, self.path, self.output = operation, path, output

    def checked(self, value: Any) -> Any:
        shape = converse(self.operation, self.output)
        for name in self.path:
            shape = shape.member if name == "member" else shape.members[name]
        report = ParamValidator().validate(value, shape)
        assert not report.has_errors(), report.generate_report()
        return value

    model_validate = checked


def converse(operation: str, output: bool) -> Any:
    model = botocore.session.get_session().get_service_model("bedrock-runtime")
    made = model.operation_model(operation)
    return made.output_shape if output else made.input_shape


REQUEST_TYPES["bedrock"] = BedrockShape("Converse", "messages", "member")
RESPONSE_TYPES["bedrock"] = BedrockShape("Converse", output=True)
TOOL_TYPES: dict[str, Any] = {
    "openai": openai.types.chat.ChatCompletionToolParam,
    "openai-responses": openai.types.responses.FunctionToolParam,
    "anthropic": anthropic.types.ToolParam,
    "gemini": genai.Tool,
    "ollama": ollama.Tool,
    "bedrock": BedrockShape("Converse", "toolConfig", "tools", "member"),
}
SENT = {  # the model's own message in each of the replies
    "openai": REPLIES["openai"]["choices"][0]["message"],
    "openai-responses": REPLIES["openai-responses"]["output"],
    "anthropic": {"role": "assistant", "content": REPLIES["anthropic"]["content"]},
    "gemini": REPLIES["gemini"]["candidates"][0]["content"],
    "ollama": REPLIES["ollama"]["message"],
    "bedrock": REPLIES["bedrock"]["output"]["message"],
}
WITH_IDS = ["openai", "openai-responses", "anthropic", "bedrock", "gemini"]
STRICT = ["openai", "openai-responses", "anthropic", "bedrock"]
every_wire = pytest.mark.parametrize("wire", list(WIRES))
both_forms = pytest.mark.parametrize("form", ["dict", "object"])


def reply_of(wire: str, form: str) -> Any:
    data = copy.deepcopy(REPLIES[wire])
    return data if form == "dict" else RESPONSE_TYPES[wire].model_validate(data)


adapter = cache(TypeAdapter)  # kept: a lazy field is validated by the adapter that made it


def accepted(wire: str, message: Any, types: dict[str, Any] = REQUEST_TYPES) -> Any:
    """The message as the provider's request type reads it; raises where it would not."""
    if wire == "bedrock":
        return types[wire].checked(message)
    return walked(adapter(types[wire]).validate_python(message))


def walked(value: Any) -> Any:
    """Plain data; the SDKs' ``Iterable`` fields are only validated when they are walked."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, dict):
        return {key: walked(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [walked(item) for item in value]
    return value


def answered(calls: list[ToolCall]) -> list[ToolResult]:
    """A result for each call; that of the second is a failure."""
    return [
        ToolResult(call, False, error="no such city")
        if place == 1
        else ToolResult(call, True, {"place": place})
        for place, call in enumerate(calls)
    ]


def chat(*tool_calls: Any, **message: Any) -> dict:
    return {"choices": [{"message": {"role": "assistant", "tool_calls": [*tool_calls], **message}}]}


def chat_call(call_id: Any = "a", arguments: Any = "{}", name: Any = "f") -> dict:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def wrapped(wire: str, entries: list) -> dict:
    """A reply of that format with these entries where its calls stand."""
    blocks = [{"toolUse": entry} for entry in entries] or [{"text": "hm"}]
    return {
        "openai": {"choices": [{"message": {"tool_calls": entries}}]},
        "ollama": {"message": {"tool_calls": entries}},
        "chapter": {"message": [{"tool_calls": entries}]},
        "gemini": {"candidates": [{"content": {"parts": [{"functionCall": e} for e in entries]}}]},
        "anthropic": {"content": [{**e, "type": "tool_use"} for e in entries if type(e) is dict]},
        "bedrock": {"output": {"message": {"role": "assistant", "content": blocks}}},
        "openai-responses": {
            "output": [{**e, "type": "function_call"} for e in entries if type(e) is dict]
        },
    }[wire]


# --- A whole round, by the SDKs' own types ---


@every_wire
@both_forms
def test_a_reply_is_read_whole(wire, form):
    """Ids, names, arguments and places are those of the reply; nothing else counts as a call."""
    calls = extract_parallel_calls(reply_of(wire, form))
    assert [call.name for call in calls] == NAMES
    assert [call.arguments for call in calls] == ARGUMENTS
    assert [call.problem for call in calls] == [None] * 3
    assert [call.sent_id for call in calls] == (IDS if wire in WITH_IDS else [None] * 3)
    if wire in WITH_IDS:
        assert [call.id for call in calls] == IDS


@every_wire
@both_forms
def test_the_history_has_the_models_own_message(wire, form):
    """It equals what was sent, no warning is given, and the provider's request type takes it."""
    reply = reply_of(wire, form)
    message = assistant_message(reply, extract_parallel_calls(reply))
    if wire == "gemini" and form == "object":  # Google's SDK writes base64 in the URL alphabet
        ours = message["parts"][2]["thoughtSignature"]
        assert ours.translate(str.maketrans("-_", "+/")) == SIGNATURE
        message["parts"][2]["thoughtSignature"] = SIGNATURE
        sent = reply.candidates[0].content.parts[2].thought_signature
        assert sent == base64.b64decode(SIGNATURE)
    assert message == SENT[wire]
    for item in message if wire == "openai-responses" else [message]:
        accepted(wire, item)
    json.dumps(message)


@pytest.mark.parametrize("wire", STRICT)
def test_an_object_made_of_a_broken_reply_is_read_like_its_dict(wire):
    """The SDKs build their objects unchecked, so a broken call reaches us in one, unwarned."""
    data = reply_of(wire, "dict")
    if wire == "openai":
        own = data["choices"][0]["message"]["tool_calls"]
        own[1:] = [{"id": None, "function": {"name": "f", "arguments": None}}, 5]
    elif wire == "bedrock":
        own = data["output"]["message"]["content"]
        own[4:] = [{"toolUse": {"toolUseId": None, "name": 7, "input": "{"}}, {"toolUse": 5}]
    elif wire == "anthropic":
        data["content"][4:] = [{"type": "tool_use", "id": None, "name": 7, "input": "{"}]
    else:
        data["output"][3:] = [{"type": "function_call", "name": "f", "arguments": {"x": 1}}]
    make = dict if wire == "bedrock" else RESPONSE_TYPES[wire].construct
    made = make(**copy.deepcopy(data))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calls, same = extract_parallel_calls(data), extract_parallel_calls(made)
    assert [(c.name, c.arguments, not c.problem) for c in calls] == [
        (c.name, c.arguments, not c.problem) for c in same
    ]
    with pytest.warns(UserWarning, match="mended"):
        message = assistant_message(made, calls)
    with pytest.warns(UserWarning, match="mended"):
        assert message == assistant_message(data, calls)


def test_a_signature_survives_googles_sdk():
    """What its object gives for the history is read back as the very same bytes."""
    reply = reply_of("gemini", "object")
    message = assistant_message(reply, extract_parallel_calls(reply))
    part = genai.Content.model_validate(message).parts[2]
    assert part.thought_signature == base64.b64decode(SIGNATURE)


@every_wire
@both_forms
def test_the_answers_are_the_providers(wire, form):
    """Its request type reads one answer a call, in request order, with the right id and name."""
    results = answered(extract_parallel_calls(reply_of(wire, form)))
    messages = format_parallel_results(results, wire)
    read = [accepted(wire, message) for message in messages]
    contents = ['{"place": 0}', '{"error": "no such city"}', '{"place": 2}']
    if wire == "openai":
        assert [(m["role"], m["tool_call_id"], m["content"]) for m in read] == [
            ("tool", i, content) for i, content in zip(IDS, contents, strict=True)
        ]
    elif wire == "openai-responses":
        assert [(m["type"], m["call_id"], m["output"]) for m in read] == [
            ("function_call_output", i, content) for i, content in zip(IDS, contents, strict=True)
        ]
    elif wire == "anthropic":
        assert [m["role"] for m in read] == ["user"]
        assert [(b["type"], b["tool_use_id"], b["content"]) for b in read[0]["content"]] == [
            ("tool_result", i, content) for i, content in zip(IDS, contents, strict=True)
        ]
    elif wire == "bedrock":
        assert [m["role"] for m in read] == ["user"]
        answers = [block["toolResult"] for block in read[0]["content"]]
        assert [(a["toolUseId"], a["status"], a["content"]) for a in answers] == [
            (i, status, [{"text": content}])
            for i, status, content in zip(
                IDS, ["success", "error", "success"], contents, strict=True
            )
        ]
    elif wire == "gemini":
        assert [m["role"] for m in read] == ["user"]
        answers = [part["functionResponse"] for part in read[0]["parts"]]
        assert [(a["id"], a["name"]) for a in answers] == list(zip(IDS, NAMES, strict=True))
    else:
        assert [(m["role"], m["tool_name"], m["content"]) for m in read] == [
            ("tool", name, content) for name, content in zip(NAMES, contents, strict=True)
        ]


@every_wire
def test_the_tools_are_the_providers(wire):
    """The ``tools=`` list passes the provider's own type, and has names, texts and schemas."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [
        SimpleNamespace(name=name, description=text, schema=schema)
        for name, text in [("f", "What f does."), ("g", None)]
    ]
    described = describe_tools(tools, wire)
    for tool in described:
        accepted(wire, tool, TOOL_TYPES)
    entries = {
        "openai": lambda: [(t["type"], t["function"]) for t in described],
        "ollama": lambda: [(t["type"], t["function"]) for t in described],
        "openai-responses": lambda: [(t["type"], t) for t in described],
        "anthropic": lambda: [("function", t) for t in described],
        "gemini": lambda: [("function", t) for t in described[0]["functionDeclarations"]],
        "bedrock": lambda: [
            ("function", {"description": ""} | t["toolSpec"] | t["toolSpec"]["inputSchema"])
            for t in described
        ],
    }[wire]()
    keys = {"anthropic": "input_schema", "gemini": "parametersJsonSchema", "bedrock": "json"}
    key = keys.get(wire, "parameters")
    assert [(kind, t["name"], t["description"], t[key]) for kind, t in entries] == [
        ("function", "f", "What f does.", schema),
        ("function", "g", "", schema),
    ]
    assert describe_tools([], wire) == []


# --- The rules of each wire, as documented ---


def test_openai_answers_each_call_in_a_message_of_its_own():
    """One ``role: tool`` message a call, by ``tool_call_id``, and no other field."""
    results = answered(extract_parallel_calls(REPLIES["openai"]))
    assert format_parallel_results(results) == [
        {"role": "tool", "tool_call_id": "call_a", "content": '{"place": 0}'},
        {"role": "tool", "tool_call_id": "call_b", "content": '{"error": "no such city"}'},
        {"role": "tool", "tool_call_id": "call_c", "content": '{"place": 2}'},
    ]


def test_openai_choices_are_alternatives():
    """Only the first choice is read: the calls of the others were never asked for."""
    reply = copy.deepcopy(REPLIES["openai"])
    reply["choices"].append(chat(chat_call("z"))["choices"][0])
    assert [call.id for call in extract_parallel_calls(reply)] == IDS


def test_responses_are_answered_by_call_id_not_by_the_items_id():
    results = answered(extract_parallel_calls(REPLIES["openai-responses"]))
    items = format_parallel_results(results, "openai-responses")
    assert [set(item) for item in items] == [{"type", "call_id", "output"}] * 3
    assert [item["call_id"] for item in items] == IDS


def test_responses_history_has_all_output_items():
    """Reasoning goes back too, and in its place."""
    reply = REPLIES["openai-responses"]
    message = assistant_message(reply, extract_parallel_calls(reply))
    assert [item["type"] for item in message] == ["reasoning", "message", *["function_call"] * 3]


def test_responses_tools_are_not_strict():
    """Strict is that provider's default, and refuses optional parameters."""
    tool = SimpleNamespace(name="f", description="", schema={})
    assert describe_tools([tool], "openai-responses")[0]["strict"] is False


def test_anthropic_results_are_one_user_message_of_results_alone():
    """Splitting them over messages teaches the model to call one tool at a time."""
    results = answered(extract_parallel_calls(REPLIES["anthropic"]))
    (message,) = format_parallel_results(results, "anthropic")
    assert message["role"] == "user"
    assert [block["type"] for block in message["content"]] == ["tool_result"] * 3


def test_anthropic_marks_failures_and_nothing_else():
    results = answered(extract_parallel_calls(REPLIES["anthropic"]))
    blocks = format_parallel_results(results, "anthropic")[0]["content"]
    assert [block.get("is_error", "absent") for block in blocks] == ["absent", True, "absent"]


def test_gemini_results_are_one_content_and_each_response_an_object():
    """Google's keys: ``output`` of a success, ``error`` of a failure; any output is wrapped."""
    calls = extract_parallel_calls(REPLIES["gemini"])
    outputs = [{"error": "a field of the output"}, "text", None]
    results = [ToolResult(c, True, out) for c, out in zip(calls, outputs, strict=True)]
    results[1] = ToolResult(calls[1], False, error="no such city")
    (content,) = format_parallel_results(results, "gemini")
    assert content["role"] == "user"
    assert [part["functionResponse"]["response"] for part in content["parts"]] == [
        {"output": {"error": "a field of the output"}},
        {"error": "no such city"},
        {"output": None},
    ]


def test_gemini_ids_are_echoed_but_never_invented():
    """A call without id is answered without one, and the model's own parts stay untouched."""
    reply = wrapped("gemini", [{"name": "f", "args": {}}, {"id": "x", "name": "f"}, {"name": "g"}])
    calls = extract_parallel_calls(reply)
    assert len({call.id for call in calls}) == 3
    (content,) = format_parallel_results(answered(calls), "gemini")
    answers = [part["functionResponse"] for part in content["parts"]]
    assert [a.get("id", "absent") for a in answers] == ["absent", "x", "absent"]
    assert assistant_message(reply, calls) is reply["candidates"][0]["content"]


def test_gemini_reads_the_sdks_own_dump():
    """``response.model_dump()`` has snake_case names, and None wherever nothing was sent."""
    data = reply_of("gemini", "object").model_dump()
    assert [call.sent_id for call in extract_parallel_calls(data)] == IDS
    assert assistant_message(data, extract_parallel_calls(data)) is data["candidates"][0]["content"]


def test_ollama_answers_by_the_tools_name():
    results = answered(extract_parallel_calls(REPLIES["ollama"]))
    assert [set(m) for m in format_parallel_results(results, "ollama")] == [
        {"role", "tool_name", "content"}
    ] * 3


def test_ollama_echoes_an_id_that_the_server_sent():
    """Newer servers send ids, and know ``tool_call_id``."""
    reply = wrapped("ollama", [{"id": "call_1", "function": {"name": "f", "arguments": {}}}])
    results = [ToolResult(call, True, 1) for call in extract_parallel_calls(reply)]
    assert format_parallel_results(results, "ollama") == [
        {"role": "tool", "tool_name": "f", "content": "1", "tool_call_id": "call_1"}
    ]


@pytest.mark.parametrize("wire", ["gemini", "ollama"])
def test_a_missing_id_is_no_fault_where_the_wire_has_none(wire):
    """Nothing is mended, nothing warned of, not even where two calls share an id."""
    key = "args" if wire == "gemini" else "arguments"
    bodies = [{"id": "x", "name": "f", key: {}}, {"id": "x", "name": "f", key: {}}, {"name": "f"}]
    flat = wire == "gemini"
    reply = wrapped(wire, bodies if flat else [{"id": b.get("id"), "function": b} for b in bodies])
    before = copy.deepcopy(reply)
    calls = extract_parallel_calls(reply)
    assert [call.sent_id for call in calls] == ["x", "x", None]
    assert calls[0].id == "x" and len({call.id for call in calls}) == 3
    assistant_message(reply, calls)
    assert reply == before


@pytest.mark.parametrize(
    "entries",
    [
        [{"id": "a", "function": {"name": "f", "arguments": '{"x": 1}'}}],
        [{"id": "a", "name": "f", "arguments": '{"x": 1}'}],
        [{"id": "a", "name": "f", "arguments": {"x": 1}}],
        [{"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}],
    ],
)
def test_the_chapters_shape(entries):
    """Nested or flat, arguments as text or as an object; its answers are OpenAI's."""
    reply = {"message": [{"role": "assistant", "content": "hm", "tool_calls": entries}]}
    assert extract_parallel_calls(reply) == [ToolCall("a", "f", {"x": 1})]
    if isinstance((entries[0].get("function") or entries[0])["arguments"], str):
        assert assistant_message(reply, extract_parallel_calls(reply)) == reply["message"][0]


def test_the_chapters_shape_may_have_several_messages():
    """The calls of all are read in order, and the list itself is the message."""
    reply = {"message": [{"tool_calls": [chat_call("a")]}, {}, {"tool_calls": [chat_call("b")]}]}
    calls = extract_parallel_calls(reply)
    assert [call.id for call in calls] == ["a", "b"]
    assert assistant_message(reply, calls) is reply["message"]


# --- No calls, unknown shapes ---


@pytest.mark.parametrize(
    "reply",
    [
        chat(content="Hello."),
        {"choices": [{"message": {"role": "assistant", "content": "Hello.", "tool_calls": None}}]},
        {"choices": []},
        {"output": [{"type": "message", "role": "assistant", "content": []}]},
        {"content": [{"type": "text", "text": "Hello."}]},
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello."}]}}]},
        {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]},
        {"candidates": [{"content": None, "finishReason": "SAFETY"}]},
        {"promptFeedback": {"blockReason": "SAFETY"}},
        {"candidates": None, "prompt_feedback": {"block_reason": "SAFETY"}},
        {"message": {"role": "assistant", "content": "Hello."}},
        {"message": [{"role": "assistant", "content": "Hello."}]},
        {"message": []},
    ],
)
def test_no_calls_gives_an_empty_list(reply):
    assert extract_parallel_calls(reply) == []


@every_wire
@both_forms
def test_a_reply_in_words_has_no_calls(wire, form):
    """Each SDK's reply without calls is known for what it is, and goes back as it came."""
    data = copy.deepcopy(REPLIES[wire])
    if wire == "openai":
        del data["choices"][0]["message"]["tool_calls"]
    elif wire == "gemini":
        data["candidates"][0]["content"]["parts"] = [{"text": "Hello."}]
    elif wire == "ollama":
        del data["message"]["tool_calls"]
    elif wire == "bedrock":
        del data["output"]["message"]["content"][2:]
    else:
        key = "output" if wire == "openai-responses" else "content"
        data[key] = data[key][:2]
    reply = data if form == "dict" else RESPONSE_TYPES[wire].model_validate(data)
    assert extract_parallel_calls(reply) == []
    message = assistant_message(reply, [])
    for item in message if wire == "openai-responses" else [message]:
        accepted(wire, item)


class Hostile:
    """An object that looks like an SDK's until it is asked for its data."""

    def __repr__(self) -> str:
        return "hostile"

    def model_dump(self, **_: Any) -> dict:
        raise RuntimeError("no data")


@pytest.mark.parametrize(
    "reply",
    [
        None, True, 3, 2.5, "text", "[]", b"bytes", [], {}, [{"tool_calls": []}], Hostile(),
        pytest.param(object(), id="an object"),
        {"tool_calls": [chat_call()]},
        {"role": "assistant", "content": [], "tool_calls": [chat_call()]},
        {"choices": None}, {"choices": {}}, {"message": "text"}, {"output": "text"},
        {"content": "text"}, {"candidates": None},
        {"choices": [], "output": []},
        {"object": "chat.completion.chunk", "choices": [{"delta": {"tool_calls": [{"index": 0}]}}]},
        {1: 2, None: 3},
    ],
    ids=str,
)  # fmt: skip
def test_an_unknown_shape_is_refused(reply):
    """Not taken for a reply without calls: a message by itself, a stream's chunk, two shapes."""
    with pytest.raises(ValueError) as refused:
        extract_parallel_calls(reply)
    if not isinstance(reply, Hostile):
        for name in [*WIRES, "choices", "output", "content", "candidates", "message"]:
            assert name in str(refused.value)


@pytest.mark.parametrize(
    "reply",
    [
        {"choices": [5]},
        {"choices": [{"message": "text"}]},
        {"choices": [{"message": {"tool_calls": {"0": chat_call()}}}]},
        {"candidates": [{"content": {"parts": {}}}]},
        {"candidates": 5, "promptFeedback": {}},
        {"message": {"tool_calls": "f()"}},
        {"message": [5]},
    ],
)
def test_a_broken_reply_of_a_known_shape_is_refused(reply):
    """It is not silently a reply without calls."""
    with pytest.raises(ValueError, match="broken reply"):
        extract_parallel_calls(reply)


def test_a_refusal_says_briefly_what_came():
    """The keys, never the values; and never all of many."""
    with pytest.raises(ValueError) as refused:
        extract_parallel_calls({"usage": "a value"} | {f"key {n}": n for n in range(1000)})
    assert "usage" in str(refused.value)
    assert "a value" not in str(refused.value)
    assert len(str(refused.value)) < 600


def test_no_results_give_no_message():
    assert [format_parallel_results([], wire) for wire in WIRES] == [[]] * 6


@pytest.mark.parametrize("wire", ["opneai", "", "chapter", None, ["openai"]])
def test_an_unknown_wire_is_refused(wire):
    for refused in (lambda: format_parallel_results([], wire), lambda: describe_tools([], wire)):
        with pytest.raises(ValueError, match=r"known: .*openai-responses.*anthropic.*ollama"):
            refused()


def test_secrets_never_reach_a_message(monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "sesame-42")
    result = ToolResult(ToolCall("a", "f"), True, {"said": "sesame-42"})
    for wire in WIRES:
        text = json.dumps(format_parallel_results([result], wire))
        assert "***" in text
        assert "sesame" not in text


# --- Arguments ---


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('{"city": "Par', "Unterminated string"),
        ("not JSON", "not JSON"),
        ("[1, 2]", "[1, 2]"),
        ('"text"', '"text"'),
        ('{"x": NaN}', "NaN"),
        ('{"x": -Infinity}', "Infinity"),
        ('{"x": ' + "[" * 100_000, "nested too deeply"),
        ('{"x": ' + "9" * 5000 + "}", "4300"),
        ("{} {}", "Extra data"),
        (7, "7"),
        (False, "False"),
        ([], "[]"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_broken_arguments_are_one_calls_problem(arguments, says):
    """The problem quotes them, shortened, and says the way out; the siblings are untouched."""
    entries = [chat_call("a", '{"x": 1}'), chat_call("b", arguments), chat_call("c", '{"x": 3}')]
    first, broken, last = extract_parallel_calls(chat(*entries))
    assert (first, last) == (ToolCall("a", "f", {"x": 1}), ToolCall("c", "f", {"x": 3}))
    assert (broken.id, broken.name, broken.arguments) == ("b", "f", {})
    assert says in broken.problem
    assert str(arguments)[:150] in broken.problem
    assert "send the arguments as one JSON object" in broken.problem
    assert len(broken.problem) < 600


@pytest.mark.parametrize("arguments", ["", "  \n", None, "null", " null ", "{}", {}])
def test_empty_arguments_mean_none(arguments):
    assert extract_parallel_calls(chat(chat_call("a", arguments))) == [ToolCall("a", "f", {})]


def test_a_call_without_arguments_means_none():
    reply = {"content": [{"type": "tool_use", "id": "a", "name": "f"}]}
    assert extract_parallel_calls(reply) == [ToolCall("a", "f", {})]


@pytest.mark.parametrize(
    "entry",
    [
        5, None, "text", [], True, {}, {"id": "a"}, {"id": "a", "function": None},
        {"id": "a", "function": "f"}, {"id": "a", "function": {}}, chat_call("a", name=""),
        chat_call("a", name=None), chat_call("a", name=7),
        {"id": "a", "type": "custom", "custom": {"name": "f", "input": "free text"}},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("wire", ["openai", "ollama", "chapter"])
def test_an_entry_that_names_no_function_is_a_call_with_a_problem(wire, entry):
    """Each must be answered, so each is there; its siblings are untouched."""
    sound = {"id": "s", "function": {"name": "g", "arguments": {}}}
    broken, sibling = extract_parallel_calls(wrapped(wire, [entry, sound]))
    assert sibling == ToolCall("s", "g", {})
    assert broken.id
    assert (broken.name, broken.arguments) == ("", {})
    assert "no function is named" in broken.problem


# --- Ids ---


def ids_of(*sent: Any) -> list[str]:
    return [call.id for call in extract_parallel_calls(chat(*map(chat_call, sent)))]


NINE = re.compile("[a-zA-Z0-9]{9}")


@pytest.mark.parametrize("sent", ["a", "call_" + "x" * 35, "Ab3dEf6hI"])
def test_an_id_used_twice_is_new_from_its_second_use_on(sent):
    """Nine letters and digits, which every provider takes; what was sent can still be read."""
    calls = extract_parallel_calls(
        chat(*(chat_call(i, f'{{"x": {n}}}') for n, i in enumerate([sent, sent, "b", sent])))
    )
    first, second, other, third = (call.id for call in calls)
    assert (first, other) == (sent, "b")
    assert NINE.fullmatch(second) and NINE.fullmatch(third) and second != third
    assert [call.sent_id for call in calls] == [sent, sent, "b", sent]
    assert [call.problem for call in calls] == [None] * 4


@pytest.mark.parametrize("wire", ["openai", "anthropic", "openai-responses", "gemini"])
def test_a_call_that_a_reply_repeats_is_not_run_twice(wire):
    """Same id, name and arguments; with another id, or none at all, it is wanted twice."""
    key = {"openai-responses": "call_id"}.get(wire, "id")
    bodies = [
        {key: i, "name": "f", "arguments": "{}", "input": {}} for i in ("a", "a", "b", "", "")
    ]
    if wire == "openai":
        bodies = [chat_call(i) for i in ("a", "a", "b", "", "")]
    calls = extract_parallel_calls(wrapped(wire, bodies))
    assert [call.problem is None for call in calls] == [True, False, True, True, True]
    assert "its answer is there" in calls[1].problem
    assert len({call.id for call in calls}) == 5


@pytest.mark.parametrize("sent", [None, "", 7, ["a"], {}])
def test_a_missing_id_is_a_new_one_in_every_reply(sent):
    """The next turn must not repeat it; a value that is no text counts as missing."""
    reply = chat(chat_call(sent), chat_call(sent), chat_call("a"))
    calls = extract_parallel_calls(reply) + extract_parallel_calls(reply)
    assert [call.sent_id for call in calls] == [None, None, "a"] * 2
    assert len({call.id for call in calls}) == 5
    assert all(NINE.fullmatch(call.id) for call in calls if call.sent_id is None)


# --- The history ---


@pytest.mark.parametrize("wire", [*STRICT, "chapter"])
def test_ids_are_mended_alone_and_on_a_copy(wire):
    """Missing and doubled ids become the calls'; one warning names them; the reply stays."""
    key = {"openai-responses": "call_id", "bedrock": "toolUseId"}.get(wire, "id")
    is_object = wire in ("anthropic", "bedrock")
    arguments = {"input": {"x": 1}} if is_object else {"arguments": '{"x": 1}'}
    inside = {"name": "f"} | arguments
    chat = {"type": "function", "function": inside}
    bodies = [chat if wire in ("openai", "chapter") else inside] * 4
    entries = [{**b, key: i} for b, i in zip(bodies, ["a", "a", "", None], strict=True)]
    del entries[3][key]
    reply = wrapped(wire, entries)
    before = copy.deepcopy(reply)
    calls = extract_parallel_calls(reply)
    with pytest.warns(UserWarning) as warned:
        message = assistant_message(reply, calls)
    assert len(warned) == 1
    assert all(call.id in str(warned[0].message) for call in calls[1:])
    assert "arguments" not in str(warned[0].message)
    assert reply == before
    sent = assistant_message(
        wrapped(wire, [{**e, key: c.id} for e, c in zip(entries, calls, strict=True)]), calls
    )
    assert message == sent


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("get time", "get_time"), ("caldav.list", "caldav_list"), ("\u5929\u6c14", "__"), ("n" * 65, "n" * 64)],
)  # fmt: skip
@pytest.mark.parametrize("wire", REPLIES)
def test_a_name_that_no_tool_can_have_is_mended(wire, sent, kept):
    """Else the history is refused for ever. Where answers have names, they have the same one."""
    own = json.dumps(TRIPLES[0][1])
    reply = json.loads(json.dumps(REPLIES[wire]).replace(own, json.dumps(sent)))
    mended = json.loads(json.dumps(REPLIES[wire]).replace(own, json.dumps(kept)))
    calls = extract_parallel_calls(reply)
    assert sent in [call.name for call in calls]
    with pytest.warns(UserWarning, match=f"name of {calls[0].id}"):
        message = assistant_message(reply, calls)
    assert message == assistant_message(mended, extract_parallel_calls(mended))
    answers = json.dumps(format_parallel_results(answered(calls), wire))
    assert (kept in answers) == (wire in ("gemini", "ollama"))


def test_a_thousand_mended_ids_are_one_short_warning():
    reply = chat(*[chat_call("a") for _ in range(1000)])
    with pytest.warns(UserWarning, match="mended in the model's message: id of .* and 989 more$"):
        assistant_message(reply, extract_parallel_calls(reply))


@pytest.mark.parametrize("wire", STRICT)
def test_answers_and_history_agree_on_mended_ids(wire):
    """Each answer has the id that its call has in the history, whatever the model sent."""
    key = {"openai-responses": "call_id", "bedrock": "toolUseId"}.get(wire, "id")
    bodies = [{key: i, "name": "f", "arguments": "{}", "input": {}} for i in ("a", "a", None)]
    if wire == "openai":
        bodies = [chat_call(i) for i in ("a", "a", None)]
    reply = wrapped(wire, bodies)
    calls = extract_parallel_calls(reply)
    with pytest.warns(UserWarning, match="mended"):
        history = assistant_message(reply, calls)
    answers = format_parallel_results(answered(calls), wire)
    if wire == "openai":
        asked, given = history["tool_calls"], [m["tool_call_id"] for m in answers]
    elif wire == "anthropic":
        asked, given = history["content"], [b["tool_use_id"] for b in answers[0]["content"]]
    elif wire == "bedrock":
        asked = [block["toolUse"] for block in history["content"]]
        given = [block["toolResult"]["toolUseId"] for block in answers[0]["content"]]
    else:
        asked, given = history, [item["call_id"] for item in answers]
    assert [call[key] for call in asked] == given
    assert len(set(given)) == 3


def test_one_object_in_two_places_gets_two_ids():
    entry = chat_call("a")
    reply = chat(entry, entry)
    calls = extract_parallel_calls(reply)
    with pytest.warns(UserWarning, match=f"id of {calls[1].id}"):
        message = assistant_message(reply, calls)
    assert [each["id"] for each in message["tool_calls"]] == ["a", calls[1].id]
    assert entry["id"] == "a"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("", "{}"), (" \n", "{}"), (None, "{}"), ("null", "{}"), ("{broken", "{}"), ("[1]", "{}"), ('{"x": NaN}', "{}"),
     ({"x": 1}, '{"x": 1}')],
)  # fmt: skip
@pytest.mark.parametrize("wire", ["openai", "openai-responses"])
def test_arguments_are_mended_where_the_wire_has_text(wire, sent, kept):
    """What is not a JSON object becomes ``{}``; an object becomes its text. Nothing else changes."""
    reply = copy.deepcopy(REPLIES[wire])
    own = reply["choices"][0]["message"]["tool_calls"] if wire == "openai" else reply["output"][2:]
    part = own[1]["function"] if wire == "openai" else own[1]
    part["arguments"] = sent
    before = copy.deepcopy(reply)
    with pytest.warns(UserWarning, match="arguments of call_b$"):
        message = assistant_message(reply, extract_parallel_calls(reply))
    assert reply == before
    part["arguments"] = kept
    assert message == (reply["choices"][0]["message"] if wire == "openai" else reply["output"])


@pytest.mark.parametrize(
    ("sent", "kept"), [("", {}), ("{broken", {}), ([1], {}), ('{"x": 1}', {"x": 1}), (None, {})]
)
@pytest.mark.parametrize("wire", ["anthropic", "gemini", "ollama"])
def test_arguments_are_mended_where_the_wire_has_objects(wire, sent, kept):
    """Text is read; what is no object becomes ``{}``. Gemini and Ollama may leave them out."""
    reply = copy.deepcopy(REPLIES[wire])
    if wire == "ollama":
        part, key = reply["message"]["tool_calls"][1]["function"], "arguments"
    elif wire == "gemini":
        part, key = reply["candidates"][0]["content"]["parts"][3]["functionCall"], "args"
    else:
        part, key = reply["content"][4], "input"
    part[key] = sent
    before = copy.deepcopy(reply)
    calls = extract_parallel_calls(reply)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        message = assistant_message(reply, calls)
    assert reply == before
    untouched = sent is None and wire != "anthropic"
    assert [str(w.message) for w in warned] == (
        [] if untouched else [f"mended in the model's message: {key} of {calls[1].id}"]
    )
    part[key] = None if untouched else kept
    if wire == "anthropic":
        assert message == {"role": "assistant", "content": reply["content"]}
    else:
        assert message == (reply.get("message") or reply["candidates"][0]["content"])


def test_a_custom_call_is_left_as_it_came():
    entry = {"id": "a", "type": "custom", "custom": {"name": "f", "input": "free text"}}
    reply = chat(entry, chat_call("b"))
    assert assistant_message(reply, extract_parallel_calls(reply))["tool_calls"][0] is entry


def test_the_calls_must_be_those_of_the_reply():
    with pytest.raises(ValueError, match="not those of the reply's message: given 0, in"):
        assistant_message(REPLIES["openai"], [])
    with pytest.raises(ValueError, match="the reply has no message"):
        assistant_message({"choices": []}, [])


# --- Any JSON at all ---

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                "choices output content candidates message tool_calls function name arguments id type "
                "parts functionCall promptFeedback args input call_id x".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
garbage = json_values | st.sampled_from(
    [chat_call("a"), chat_call("a", "{"), {"id": "a", "name": "f", "input": {}}, {"id": "a-2"}]
)


@given(json_values)
@example(
    {"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": "["}}]}}]}
)
@example({"choices": [None]})
def test_any_json_yields_calls_or_a_value_error(value):
    """And calls that can be answered, with a message for the history or a refusal."""
    try:
        calls = extract_parallel_calls(value)
    except ValueError:
        return
    assert all(isinstance(call, ToolCall) for call in calls)
    assert len({call.id for call in calls}) == len(calls)


def no_custom_call(entry):
    """A call of type custom, or of no known type, is sent back as it came."""
    return not isinstance(entry, dict) or entry.get("type") in (None, "", "function")


@pytest.mark.parametrize("wire", [*WIRES, "chapter"])
@given(entries=st.lists(garbage, max_size=5), place=st.integers(0, 5))
@example(entries=[{"function": {}}], place=0)
def test_each_entry_is_one_call_whatever_it_is(wire, entries, place):
    """Ids are unique, a sound sibling is intact, the history is accepted, nothing is mutated."""
    sound = {
        "gemini": {"id": "ok", "name": "f", "args": {"x": 1}},
        "anthropic": {"id": "ok", "name": "f", "input": {"x": 1}},
        "openai-responses": {"call_id": "ok", "name": "f", "arguments": '{"x": 1}'},
        "ollama": {"id": "ok", "function": {"name": "f", "arguments": {"x": 1}}},
        "bedrock": {"toolUseId": "ok", "name": "f", "input": {"x": 1}},
    }.get(wire, chat_call("ok", '{"x": 1}'))
    if wire in ("gemini", "bedrock"):
        entries = [entry for entry in entries if entry is not None]
    if wire in ("anthropic", "openai-responses"):
        entries = [entry for entry in entries if isinstance(entry, dict)]
    entries = [*entries[:place], sound, *entries[place:]]
    reply = wrapped(wire, entries)
    before = repr(reply)
    calls = extract_parallel_calls(reply)
    assert len(calls) == len(entries)
    assert len({call.id for call in calls}) == len(calls)
    assert calls[min(place, len(entries) - 1)] == ToolCall("ok", "f", {"x": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        message = assistant_message(reply, calls)
    answers = format_parallel_results(answered(calls), "openai" if wire == "chapter" else wire)
    assert len(answers) == (1 if wire in ("anthropic", "bedrock", "gemini") else len(calls))
    assert repr(reply) == before
    if wire == "openai" and all(map(no_custom_call, entries)):
        asked = [{"role": "user", "content": "?"}, message | {"role": "assistant", "content": None}]
        check_request({"messages": asked + answers})  # the strict provider takes all of it


# --- Replies that were cut ---


def cut_reply(wire: str, **changes: Any) -> dict:
    """The reply of three calls, with these changes where its format says why it ended."""
    reply = copy.deepcopy(REPLIES[wire])
    {"openai": lambda: reply["choices"][0], "gemini": lambda: reply["candidates"][0]}.get(
        wire, lambda: reply
    )().update(changes)
    return reply


CUTS = [
    ("openai", {"finish_reason": "length"}),
    ("openai", {"finish_reason": "content_filter"}),
    ("anthropic", {"stop_reason": "max_tokens"}),
    ("anthropic", {"stop_reason": "refusal"}),
    ("anthropic", {"stop_reason": "model_context_window_exceeded"}),
    (
        "openai-responses",
        {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
    ),
    ("openai-responses", {"status": "failed", "error": {"code": "x", "message": "out of order"}}),
    ("gemini", {"finishReason": "MAX_TOKENS"}),
    ("gemini", {"finishReason": "MALFORMED_FUNCTION_CALL"}),
    ("bedrock", {"stopReason": "max_tokens"}),
    ("bedrock", {"stopReason": "guardrail_intervened"}),
    ("ollama", {"done_reason": "length"}),
]


@pytest.mark.parametrize(("wire", "changes"), CUTS, ids=str)
def test_the_calls_of_a_cut_reply_know_it_and_the_last_is_not_run(wire, changes):
    """Each says why in the provider's words; the last, which may be a half, has a problem."""
    reply = cut_reply(wire, **changes)
    calls = extract_parallel_calls(reply)
    reason = str(next(iter(changes.values())))
    assert all(call.cut and reason in call.cut for call in calls)
    assert [call.problem is None for call in calls] == [True, True, False]
    assert "cut off" in calls[-1].problem and reason in calls[-1].problem
    assert "send it again" in calls[-1].problem
    assert [call.arguments for call in calls] == ARGUMENTS
    assert assistant_message(reply, calls) == SENT[wire]  # its arguments are not broken


@pytest.mark.parametrize(
    ("reason", "who"), [("length", "a limit"), ("content_filter", "its provider")]
)
def test_the_problem_says_who_cut_the_reply_and_what_came(reason, who):
    """A limit has another way out than a filter; broken arguments are quoted all the same."""
    reply = chat(chat_call("a"), chat_call("b", '{"x": '))
    reply["choices"][0]["finish_reason"] = reason
    _, last = extract_parallel_calls(reply)
    assert f"cut off by {who} (finish_reason: {reason})" in last.problem
    assert '{"x": ' in last.problem and last.arguments == {}


@pytest.mark.parametrize("key", ["finish_reason", "stop_reason"])
def test_a_list_of_messages_may_be_cut_too(key):
    calls = extract_parallel_calls({"message": [{"tool_calls": [chat_call()]}], key: "max_tokens"})
    assert calls[0].cut == f"{key}: max_tokens" and calls[0].problem


def test_an_object_of_googles_may_be_cut_too():
    """In each of its forms: the object, and its dump, in which the reason is an enum."""
    reply = genai.GenerateContentResponse.model_validate(
        cut_reply("gemini", finishReason="MAX_TOKENS")
    )
    for form in (reply, reply.model_dump(), reply.model_dump(by_alias=True)):
        assert {call.cut for call in extract_parallel_calls(form)} == {"finishReason: MAX_TOKENS"}


def test_an_item_that_is_incomplete_makes_the_reply_so():
    reply = copy.deepcopy(REPLIES["openai-responses"])
    reply["output"][-1]["status"] = "incomplete"
    assert extract_parallel_calls(reply)[-1].problem


@pytest.mark.parametrize(
    ("wire", "changes"),
    [
        *(("openai", {"finish_reason": end}) for end in ("stop", "tool_calls", "eos", None, "")),
        *(("anthropic", {"stop_reason": end}) for end in ("end_turn", "stop_sequence", None)),
        *(("gemini", {"finishReason": end}) for end in ("STOP", "FINISH_REASON_UNSPECIFIED", None)),
        *(("openai-responses", {"status": end}) for end in ("completed", None)),
        *(("ollama", {"done_reason": end}) for end in ("stop", None)),
        *(("bedrock", {"stopReason": end}) for end in ("end_turn", "tool_use")),
    ],
    ids=str,
)
def test_a_reply_that_ended_by_itself_is_whole(wire, changes):
    calls = extract_parallel_calls(cut_reply(wire, **changes))
    assert {(call.cut, call.problem) for call in calls} == {(None, None)}


# --- No message at all ---


@pytest.mark.parametrize(
    "reply",
    [
        {"choices": [{"message": None}]},
        {"choices": [{"message": {}}]},
        {"choices": [{}]},
        {"message": {}},
        {"message": [None]},
        {"output": {}},
        {"output": {"message": None}},
        {"candidates": [{}]},
        {"candidates": [{"content": None}]},
    ],
    ids=str,
)
def test_an_empty_message_is_refused(reply):
    """No calls would mean that the model asks for nothing; here nothing is known."""
    with pytest.raises(UnreadableReplyError, match="broken reply"):
        extract_parallel_calls(reply)


# --- Tools and results at their edges ---


@every_wire
@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"properties": {}}])
def test_a_schema_says_at_least_that_it_is_an_object(wire, schema):
    """Providers refuse one without its type or its properties."""
    (tool,) = describe_tools([SimpleNamespace(name="f", description="", schema=schema)], wire)
    for said in ('"type": "object"', '"properties": {}'):
        assert said in json.dumps(tool)
    accepted(wire, tool, TOOL_TYPES)


@every_wire
def test_the_tools_schemas_are_copies(wire):
    """Whoever changes the request does not change the registry."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = SimpleNamespace(name="f", description="", schema=schema)
    before = json.dumps(describe_tools([tool], wire))

    def spoil(value: Any) -> None:
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, dict | list):
                spoil(item)
        value.clear()

    spoil(describe_tools([tool], wire))
    assert json.dumps(describe_tools([tool], wire)) == before


def test_bedrock_leaves_out_an_empty_description():
    tool = SimpleNamespace(name="f", description="", schema={})
    assert set(describe_tools([tool], "bedrock")[0]["toolSpec"]) == {"name", "inputSchema"}


def test_bedrocks_own_streams_tools_are_not_ours():
    """A server tool's block is no call, and goes back as it came."""
    reply = REPLIES["bedrock"]
    assert [call.id for call in extract_parallel_calls(reply)] == IDS


@pytest.mark.parametrize("depth", [50, 99, 100, 101, 300, 900, 5000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_an_output_nested_deeply_is_told_on_googles_wire(depth, brackets):
    """As text from a depth on that their servers, and other readers, don't take."""
    opening = "[" if brackets == "[]" else '{"\\"[": '
    text = opening * depth + '"[["' + brackets[1] * depth
    result = SimpleNamespace(call=ToolCall("a", "f"), success=True, content_hiding=lambda _: text)
    (content,) = format_parallel_results([result], "gemini")
    output = content["parts"][0]["functionResponse"]["response"]["output"]
    assert output == (text if depth > 100 else json.loads(text))
    json.dumps(content)


def test_arguments_nested_deeply_are_left_alone_by_mending():
    """Near the limit of what can be copied or written; only the id is mended."""
    deep: dict = {}
    for _ in range(900):
        deep = {"x": deep}
    reply = wrapped("anthropic", [{"id": "", "name": "f", "input": deep}])
    with pytest.warns(UserWarning, match="id of"):
        message = assistant_message(reply, extract_parallel_calls(reply))
    assert message["content"][0]["input"]["x"]["x"]["x"] is deep["x"]["x"]["x"]


def test_the_examples_say_the_truth():
    modules = [ptc.wire, ptc.wire.mending, ptc.wire.formats, ptc.wire.reading]
    tried = [doctest.testmod(module) for module in modules]
    assert sum(one.failed for one in tried) == 0 and sum(one.attempted for one in tried) >= 8
