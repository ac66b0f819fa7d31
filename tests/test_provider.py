"""The scripted provider, asked by the real ``openai`` client over a real socket.

The refused histories quote the providers' words; the module names the threads they were seen in.
"""

import doctest
import gc
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from types import FunctionType, ModuleType

import openai
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ptc import ToolRegistry
from ptc.provider import (
    MODEL,
    Refused,
    ScriptedProvider,
    city_script,
    loopback,
    refusals,
    script,
    server,
    small,
    tool_call,
)

NAMES = ("get_time", "get_date", "get_weather")
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": PARAMETERS}} for name in NAMES
]
QUERY = "What's the time, the date and the weather in Paris?"
CONTENTS = ['"14:05"', '"2025-11-23"', '{"temperature_c": 9.4, "condition": "light rain"}']


@pytest.fixture(scope="module")
def provider():
    with ScriptedProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def client(provider):
    with client_of(provider) as client:
        yield client


def client_of(provider):
    return openai.OpenAI(base_url=provider.base_url, api_key="sk-none", max_retries=0, timeout=30)


def user(text):
    return {"role": "user", "content": text}


def tool(id, content="1"):
    return {"role": "tool", "tool_call_id": id, "content": content}


def asking(*ids, arguments="{}"):
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [tool_call("get_time", arguments, id=id) for id in ids],
    }


def ask(client, messages, **options):
    options = {"tools": TOOLS} | options
    return client.chat.completions.create(model="m", messages=messages, **options)


def message_of(client, messages, **options):
    return ask(client, messages, **options).choices[0].message.model_dump(exclude_none=True)


def asked(message):
    """The calls of a message as (tool, city)."""
    return [
        (item["function"]["name"], json.loads(item["function"]["arguments"])["city"])
        for item in message.get("tool_calls", [])
    ]


def converse(client, messages, answers, **options):
    """Ask, answer each call with ``answers``'s text, and ask again, until there are words."""
    batches = []
    for _ in range(20):
        message = message_of(client, messages, **options)
        messages.append(message)
        if "tool_calls" not in message:
            return message["content"], batches
        batches.append(asked(message))
        for item, subject in zip(message["tool_calls"], asked(message), strict=True):
            messages.append(tool(item["id"], answers(*subject)))
    raise AssertionError("no end")


def refusal(client, messages, **options):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, messages, **options)
    error = refused.value.response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    return error


def raw(provider, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(*address(provider), timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"null")
    finally:
        connection.close()


def address(provider):
    host, port = provider.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    return host, int(port)


# ---------------------------------------------------------------- the script of the lessons
def test_one_query_asks_for_three_tools_in_one_reply(client):
    """The lesson's query gives three calls, each with the city, in the order of the question."""
    reply = ask(client, [user(QUERY)]).choices[0]
    assert asked(reply.message.model_dump()) == [(name, "Paris") for name in NAMES]
    assert reply.finish_reason == "tool_calls"
    assert [item.id for item in reply.message.tool_calls] == ["call_1_1", "call_1_2", "call_1_3"]


def test_several_cities_are_asked_city_by_city(client):
    """Three cities and three tools are nine calls in one reply."""
    query = "What's the time, the date and the weather in Paris, Tokyo and New York?"
    expected = [(name, city) for city in ("Paris", "Tokyo", "New York") for name in NAMES]
    assert asked(message_of(client, [user(query)])) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("what time is it in Tokyo", [("get_time", "Tokyo")]),
        ("How's the weather in paris today?", [("get_weather", "Paris")]),
        ("what day is it in Lima", [("get_date", "Lima")]),
        ("Tell me the date for Ouagadougou.", [("get_date", "Ouagadougou")]),
        ("the time at São Paulo, please", [("get_time", "São Paulo")]),
        ("In Rio de Janeiro, what time is it?", [("get_time", "Rio de Janeiro")]),
        (
            "WEATHER IN NEW YORK AND TOKYO NOW",
            [("get_weather", "New York"), ("get_weather", "Tokyo")],
        ),
        ("weather and time in Rome", [("get_weather", "Rome"), ("get_time", "Rome")]),
        ("new york weather", [("get_weather", "New York")]),
        ("time in Paris and the weather in Lima", [("get_time", "Paris"), ("get_weather", "Lima")]),
        ("time in Paris and in Paris", [("get_time", "Paris")]),
    ],
)
def test_plain_variants_of_the_question(client, query, expected):
    """Cities stand after in, for or at, with a capital, or are known ones in any case."""
    assert asked(message_of(client, [user(query)])) == expected


def test_the_answer_is_made_by_id(client):
    """Swapping two contents swaps what is said; swapping two whole messages changes nothing."""
    messages = [user(QUERY), message_of(client, [user(QUERY)])]
    time_, date, weather = (
        tool(item["id"], content)
        for item, content in zip(messages[1]["tool_calls"], CONTENTS, strict=True)
    )
    said = (
        "The time in Paris is 14:05. The date in Paris is 2025-11-23. "
        "The weather in Paris is 9.4 °C, light rain."
    )
    assert message_of(client, [*messages, time_, date, weather])["content"] == said
    assert message_of(client, [*messages, weather, date, time_])["content"] == said
    swapped = [time_ | {"content": weather["content"]}, date, weather | {"content": '"14:05"'}]
    assert message_of(client, messages + swapped)["content"] == (
        "The time in Paris is 9.4 °C, light rain. The date in Paris is 2025-11-23. "
        "The weather in Paris is 14:05."
    )


def test_a_doubled_id_in_two_turns_is_answered_turn_by_turn(client):
    """OpenAI accepts one id in two turns; each answer belongs to the calls just before it."""
    first, second = (
        asking("a", arguments='{"city": "Rome"}'),
        asking("a", arguments='{"city": "Lima"}'),
    )
    history = [user("time in Rome and Lima"), first, tool("a", '"1"'), second, tool("a", '"2"')]
    said = "The time in Rome is 1. The time in Lima is 2."
    assert message_of(client, history)["content"] == said


def test_errors_are_said_plainly(client):
    """A content of ``{"error": …}`` is told as what could not be had, and not asked again."""
    content = json.dumps({"error": "no city named 'Atlantis'; known: ['Paris']"})
    said, batches = converse(client, [user("the weather in Atlantis")], lambda *_: content)
    assert said == (
        "I could not get the weather in Atlantis: no city named 'Atlantis'; known: ['Paris']."
    )
    assert batches == [[("get_weather", "Atlantis")]]


@pytest.mark.parametrize("content", ["", "no JSON", "null", "[1, 2]", '{"a": {"b": 1}}', "NaN"])
def test_any_content_is_said(client, content):
    """A content that is no JSON, or another JSON than expected, still ends in words."""
    said, _ = converse(client, [user("time in Paris")], lambda *_: content)
    assert said.startswith("The time in Paris is")


def test_content_parts_are_read(client):
    """A tool message's content may be a list of text parts."""
    history = [user("time in Rome"), asking("a", arguments='{"city": "Rome"}')]
    parts = [{"type": "text", "text": '"14'}, {"type": "text", "text": ':05"'}]
    said = message_of(client, [*history, tool("a", parts)])["content"]
    assert said == "The time in Rome is 14:05."


def test_without_parallel_calls_one_is_asked_a_turn(client):
    """``parallel_tool_calls=False`` gives the same calls, one by one, with ids never used twice."""
    messages = [user(QUERY)]
    said, batches = converse(client, messages, lambda *_: '"x"', parallel_tool_calls=False)
    assert batches == [[(name, "Paris")] for name in NAMES]
    ids = [item["id"] for message in messages for item in message.get("tool_calls", [])]
    assert ids == ["call_1_1", "call_2_1", "call_3_1"]
    assert said.count("Paris is x") == 3


def test_a_follow_up_counts_only_its_own_calls(client):
    """The next question asks anew, and only its own answers are said."""
    messages = [user(QUERY)]
    converse(client, messages, lambda *_: '"old"')
    messages.append(user("And what time is it in Tokyo?"))
    said, batches = converse(client, messages, lambda *_: '"new"')
    assert batches == [[("get_time", "Tokyo")]]
    assert said == "The time in Tokyo is new."


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("And in Lima?", [("get_time", "Lima")]),
        ("And the weather?", [("get_weather", "Paris")]),
        ("Thanks!", []),
    ],
)
def test_a_short_follow_up_means_what_was_asked_before(client, query, expected):
    """What a follow-up leaves out, tool or city, is that of the question before."""
    messages = [user("What time is it in Paris?"), {"role": "assistant", "content": "x"}]
    assert asked(message_of(client, [*messages, user(query)])) == expected


def test_tool_choice_none_gives_words(client):
    """A request that forbids calls gets words."""
    reply = ask(client, [user(QUERY)], tool_choice="none").choices[0]
    assert reply.finish_reason == "stop"
    assert "get_weather" in reply.message.content


def test_a_named_tool_is_the_only_one_called(client):
    """``tool_choice`` with a function's name leaves the others out."""
    choice = {"type": "function", "function": {"name": "get_date"}}
    assert asked(message_of(client, [user(QUERY)], tool_choice=choice)) == [("get_date", "Paris")]


@pytest.mark.parametrize("query", ["Write a poem.", "What's the weather?", "", "Paris"])
def test_what_it_cannot_do_it_says(client, query):
    """A question without a tool or a city gets a sentence that says what would work."""
    message = message_of(client, [user(query)])
    assert "tool_calls" not in message
    assert "the time, the date and the weather in a city" in message["content"]


def test_only_offered_tools_are_called(client):
    """A tool that the request doesn't offer is never called; with none at all there are words."""
    assert asked(message_of(client, [user(QUERY)], tools=TOOLS[:1])) == [("get_time", "Paris")]
    assert (
        "if I am given the tools" in message_of(client, [user(QUERY)], tools=openai.omit)["content"]
    )


# ---------------------------------------------------------------- scripts
@pytest.mark.parametrize("stream", [False, True])
def test_a_malformed_message_goes_out_verbatim(stream):
    """Arguments that are no JSON, doubled ids and missing ids reach the client as written."""
    calls = [
        tool_call("f", '{"city": "Par', id="same"),
        tool_call("f", "", id="same"),
        tool_call("f", "[1]", id=None),
        tool_call("f", "é" * 20, id=""),
    ]
    script = [{"content": "One moment.  Please", "tool_calls": calls}]
    with ScriptedProvider(script) as provider, client_of(provider) as client:
        reply = ask(client, [user("x")], tools=openai.omit, stream=stream)
        message = assemble(reply) if stream else reply.choices[0].message.model_dump()
    assert message["content"] == "One moment.  Please"
    got = [
        {key: item[key] for key in item if item[key] is not None} for item in message["tool_calls"]
    ]
    assert got == calls


def test_arguments_that_are_no_text_go_out_verbatim():
    """Some servers send an object where the wire wants a text; a lesson may need that."""
    odd = {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"city": "Paris"}}}
    body = json.dumps({"model": "m", "messages": [user("x")]})
    streamed = json.dumps({"model": "m", "messages": [user("x")], "stream": True})
    with ScriptedProvider([{"content": None, "tool_calls": [odd]}]) as provider:
        _, reply = raw(provider, "POST", "/v1/chat/completions", body)
        assert reply["choices"][0]["message"]["tool_calls"] == [odd]
        with client_of(provider) as client:
            chunks = list(client.chat.completions.create(**json.loads(streamed)))
    assert chunks[1].choices[0].delta.tool_calls[0].function.arguments == {"city": "Paris"}


def test_other_fields_go_out_verbatim():
    """What else a script puts into its message, reasoning say, reaches the client, streamed too."""
    script = [{"content": "words", "reasoning_content": "because"}]
    with ScriptedProvider(script) as provider, client_of(provider) as client:
        assert message_of(client, [user("x")])["reasoning_content"] == "because"
        first = next(iter(ask(client, [user("x")], stream=True))).choices[0].delta
    assert first.to_dict() == {
        "role": "assistant",
        "content": "",
        "reasoning_content": "because",
    }


@pytest.mark.parametrize("stream", [False, True])
def test_a_script_says_why_its_reply_ends(stream):
    """A reply that was cut, say; in the message itself there's no such field."""
    script = [{"content": "The time in", "finish_reason": "length"}]
    with ScriptedProvider(script) as provider, client_of(provider) as client:
        reply = ask(client, [user("x")], stream=stream)
        choices = [chunk.choices[0] for chunk in reply] if stream else reply.choices
    assert choices[-1].finish_reason == "length"
    said = [choice.delta if stream else choice.message for choice in choices]
    assert not any("finish_reason" in part.to_dict() for part in said)


def test_a_list_is_replied_in_turn():
    """The n-th message of a list answers a history of n assistant messages; then it is over."""
    script = [{"content": "one"}, {"content": "two"}]
    with ScriptedProvider(script) as provider, client_of(provider) as client:
        history = [user("x")]
        assert message_of(client, history)["content"] == "one"
        assert message_of(client, history)["content"] == "one"
        history += [{"role": "assistant", "content": "one"}, user("y")]
        assert message_of(client, history)["content"] == "two"
        history += [{"role": "assistant", "content": "two"}]
        with pytest.raises(openai.InternalServerError, match="asked for reply 3"):
            message_of(client, history)


def test_a_callable_gets_the_request():
    """A script sees all of the parsed request; the same body stands in ``requests``."""
    seen = []

    def script(request):
        seen.append(request)
        return {"content": "ok"}

    with ScriptedProvider(script) as provider, client_of(provider) as client:
        ask(client, [user("x")], parallel_tool_calls=False, tool_choice="auto")
    assert seen == provider.requests
    assert seen[0] == {
        "model": "m",
        "messages": [user("x")],
        "tools": TOOLS,
        "parallel_tool_calls": False,
        "tool_choice": "auto",
    }


@pytest.mark.parametrize("reply", [None, "words", {"tool_calls": 3}, {"content": {1, 2}}])
def test_a_broken_script_is_told(reply):
    """A script that raises, or returns no message, gives a 500 that says so and isn't retried."""
    with ScriptedProvider(lambda request: reply) as provider:
        client = openai.OpenAI(base_url=provider.base_url, api_key="x")
        with client, pytest.raises(openai.InternalServerError, match="the script failed"):
            ask(client, [user("x")])
        assert len(provider.requests) == 1


def test_numbers_are_unique_where_the_history_was_cut(client):
    """An id that stands in the history is not given again, also if early turns are gone."""
    history = [
        user("time in Rome"),
        asking("call_2_1", arguments='{"city": "Rome"}'),
        tool("call_2_1"),
    ]
    message = message_of(client, [*history, user("weather in Rome")])
    assert [item["id"] for item in message["tool_calls"]] == ["call_3_1"]


# ---------------------------------------------------------------- bodies
def test_the_body_is_a_chat_completion(client):
    """Every field that the SDK's type demands is there and of its type."""
    raw_reply = client.chat.completions.with_raw_response.create(
        model="gpt-x", messages=[user(QUERY)], tools=TOOLS
    )
    assert raw_reply.headers["content-type"] == "application/json"
    body = json.loads(raw_reply.text)
    completion = ChatCompletion.model_validate(body, strict=True)
    assert completion == raw_reply.parse()
    assert (body["object"], body["model"]) == ("chat.completion", "gpt-x")
    usage = body["usage"]
    assert usage["prompt_tokens"] > 0 and usage["completion_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_the_same_request_gives_the_same_bytes(client):
    """Ids and times are constants of the conversation, so that outputs can be compared."""
    create = client.chat.completions.with_raw_response.create
    first, second = (create(model="m", messages=[user(QUERY)], tools=TOOLS).text for _ in range(2))
    assert first == second


def test_tokens_grow_with_the_text(client):
    """A longer request counts more tokens, about one for four characters."""
    short, long = (ask(client, [user("x" * n)]).usage.prompt_tokens for n in (400, 4400))
    assert long - short == 1000


def test_models(client):
    """The list of models has the one that is scripted."""
    models = client.models.list().data
    assert [model.id for model in models] == [MODEL]
    Model.model_validate(models[0].model_dump(), strict=True)


# ---------------------------------------------------------------- streams
def assemble(stream):
    """The message that a stream's deltas add up to."""
    message = {"content": None, "tool_calls": []}
    for chunk in stream:
        for choice in chunk.choices:
            delta = choice.delta.model_dump(exclude_unset=True)
            if delta.get("content") is not None:
                message["content"] = (message["content"] or "") + delta["content"]
            for piece in delta.get("tool_calls") or []:
                index = piece.pop("index")
                if index == len(message["tool_calls"]):
                    message["tool_calls"].append(piece)
                else:
                    text = piece["function"]["arguments"]
                    message["tool_calls"][index]["function"]["arguments"] += text
    return message


@pytest.mark.parametrize("query", [QUERY, "Write a poem."])
def test_the_deltas_add_up_to_the_message(client, query):
    """What comes streamed is what comes at once, calls and words."""
    whole = ask(client, [user(query)]).choices[0].message
    built = assemble(ask(client, [user(query)], stream=True))
    assert built["content"] == whole.content
    assert built["tool_calls"] == [item.model_dump() for item in whole.tool_calls or []]


def test_the_sdk_assembles_the_stream(client):
    """The client's own accumulator gives the same completion, usage included."""
    options = {"model": "m", "messages": [user(QUERY)], "tools": TOOLS}
    with client.chat.completions.stream(
        **options, stream_options={"include_usage": True}
    ) as stream:
        streamed = stream.get_final_completion()
    whole = client.chat.completions.create(**options)
    calls = [item.to_dict() for item in streamed.choices[0].message.tool_calls]
    assert [
        {key: value for key, value in item["function"].items() if key != "parsed_arguments"}
        for item in calls
    ] == [item.function.to_dict() for item in whole.choices[0].message.tool_calls]
    assert [item["id"] for item in calls] == ["call_1_1", "call_1_2", "call_1_3"]
    assert streamed.usage.to_dict() == whole.usage.to_dict()


def test_the_order_of_a_stream(client):
    """Role first, then per call its id and name, then its arguments in pieces, then the reason."""
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(ask(client, [user("time and date in Paris")], **options))
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.to_dict(), strict=True)
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [chunk.choices[0].delta.tool_calls[0] for chunk in chunks[1:-2]]
    for index in range(2):
        first, *rest = [piece for piece in pieces if piece.index == index]
        assert (first.id, first.function.arguments) == (f"call_1_{index + 1}", "")
        assert first.function.name == NAMES[index]
        assert len(rest) > 1 and all(piece.id is None for piece in rest)
    assert [piece.index for piece in pieces] == sorted(piece.index for piece in pieces)
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens > 0) == ([], True)


def test_words_come_in_several_pieces(client):
    """A streamed text is no single chunk; without include_usage there is no usage."""
    chunks = list(ask(client, [user("hello")], stream=True))
    assert len(chunks) > 10
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_the_stream_ends_with_done(provider):
    """The last event is ``[DONE]``, and the connection can be used again."""
    body = json.dumps({"model": "m", "messages": [user("x")], "stream": True})
    connection = http.client.HTTPConnection(*address(provider), timeout=30)
    for _ in range(2):
        connection.request("POST", "/v1/chat/completions", body)
        response = connection.getresponse()
        assert response.headers["content-type"].startswith("text/event-stream")
        events = response.read().decode().split("\n\n")
        assert events[-2:] == ["data: [DONE]", ""]
        assert all(event.startswith("data: ") for event in events[:-1])
    connection.close()


# ---------------------------------------------------------------- what is refused
def test_an_unanswered_call_is_refused(client):
    """OpenAI's words, as in router-for-me/CLIProxyAPI#2798; each missing id is named."""
    error = refusal(client, [user("x"), asking("a", "b", "c"), tool("b"), user("y")])
    assert error["message"] == (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: a, c"
    )
    assert (error["param"], error["code"]) == ("messages.[3].role", None)
    assert "response messages: a" in refusal(client, [user("x"), asking("a")])["message"]


def test_a_tool_message_without_calls_is_refused(client):
    """OpenAI's words with its spelling, as in smarter-sh/smarter#264."""
    error = refusal(client, [user("x"), tool("a")])
    assert error["message"] == (
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
        "with 'tool_calls'."
    )
    assert error["param"] == "messages.[1].role"


def test_an_answer_after_another_message_is_refused(client):
    """A result that comes late is no answer: the calls count as open, or the result as lost."""
    late = [user("x"), asking("a", "b"), tool("a"), user("wait"), tool("b")]
    assert "did not have response messages: b" in refusal(client, late)["message"]
    late = [user("x"), asking("a"), tool("a"), {"role": "assistant", "content": "so"}, tool("a")]
    assert "must be a response to a preceeding message" in refusal(client, late)["message"]


def test_an_unknown_id_is_refused(client):
    """OpenAI's words, as in dapr/dapr-agents#145."""
    error = refusal(client, [user("x"), asking("a"), tool("a"), tool("call_0")])
    assert error["message"] == (
        "Invalid parameter: 'tool_call_id' of 'call_0' not found in 'tool_calls' of previous "
        "message."
    )
    assert error["param"] == "messages.[3].tool_call_id"


def test_a_doubled_answer_is_refused(client):
    """OpenAI's words, as in agno-agi/agno#5116."""
    error = refusal(client, [user("x"), asking("a", "b"), tool("a"), tool("b"), tool("a")])
    assert error["message"] == (
        "Invalid parameter: Duplicate value for 'tool_call_id' of 'a', in messages[2] and "
        "messages[4]."
    )
    assert error["param"] == "messages.[4].tool_call_id"


def test_a_doubled_id_in_one_message_is_refused(client):
    """DeepSeek's words, as in BuilderIO/agent-native#2312; in two turns an id may come again."""
    error = refusal(client, [user("x"), asking("a", "a"), tool("a")])
    assert error["message"] == "Duplicate value for 'tool_call_id' of a in message[1]"
    assert ask(client, [user("x"), asking("a"), tool("a"), asking("a"), tool("a")])


@pytest.mark.parametrize(
    "arguments", ['{"city": "Par', "[1]", '"Paris"', "3", "null", '{"a": NaN}', " "]
)
def test_arguments_that_are_no_json_object_are_refused(client, arguments):
    """Alibaba's words, as in explyt/explyt#23; also where the calls are answered."""
    error = refusal(client, [user("x"), asking("a", arguments=arguments), tool("a")])
    assert error["message"] == (
        '<400> InternalError.Algo.InvalidParameter: The "function.arguments" parameter of the '
        "code model must be in JSON format."
    )
    assert error["code"] == "invalid_parameter_error"


def test_empty_arguments_are_accepted(client):
    """Models send empty text for no arguments, and vLLM takes it back: mudler/vllm.cpp#526."""
    assert ask(client, [user("x"), asking("a", arguments=""), tool("a")])


def changed(message, path, *value):
    """A deep copy of ``message`` with the value at ``path`` replaced, or without it."""
    message = json.loads(json.dumps(message))
    *way, last = path
    inner = message
    for key in way:
        inner = inner[key]
    inner.pop(last)
    inner.update(dict.fromkeys([last], *value) if value else {})
    return message


@pytest.mark.parametrize(
    ("path", "value", "words", "code"),
    [
        (["id"], [], "Missing required parameter: '{}'.", "missing_required_parameter"),
        (
            ["id"],
            [None],
            "Invalid type for '{}': expected a string, but got null instead.",
            "invalid_type",
        ),
        (
            ["id"],
            [""],
            "Invalid '{}': empty string. Expected a string with minimum length 1, but got an "
            "empty string instead.",
            "empty_string",
        ),
        (["type"], [], "Missing required parameter: '{}'.", "missing_required_parameter"),
        (
            ["type"],
            ["tool"],
            "Invalid value: 'tool'. Supported values are: 'function'.",
            "invalid_value",
        ),
        (["function"], [], "Missing required parameter: '{}'.", "missing_required_parameter"),
        (
            ["function", "name"],
            [],
            "Missing required parameter: '{}'.",
            "missing_required_parameter",
        ),
        (
            ["function", "arguments"],
            [],
            "Missing required parameter: '{}'.",
            "missing_required_parameter",
        ),
        (
            ["function", "arguments"],
            [{}],
            "Invalid type for '{}': expected a string, but got an object instead.",
            "invalid_type",
        ),
    ],
)
def test_a_malformed_call_in_the_history_is_refused(client, path, value, words, code):
    """OpenAI's words: ServiceNow/TapeAgents#66, aaif-goose/goose-mobile#20."""
    bad = changed(
        asking("a"), ["tool_calls"], [changed(asking("a")["tool_calls"][0], path, *value)]
    )
    error = refusal(client, [user("x"), bad, tool("a")])
    where = ".".join(["messages[1].tool_calls[0]", *path])
    assert (error["message"], error["param"], error["code"]) == (words.format(where), where, code)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("hello", "Invalid type for 'messages[0]': expected an object, but got a string instead."),
        ({"content": "x"}, "Missing required parameter: 'messages[0].role'."),
        (
            {"role": "developper", "content": "x"},
            "Invalid value: 'developper'. Supported values are: 'system', 'assistant', 'user', "
            "'function', 'tool', and 'developer'.",
        ),
        (
            {"role": 3, "content": "x"},
            "Invalid type for 'messages[0].role': expected a string, but got an integer instead.",
        ),
        ({"role": "user"}, "Invalid value for 'content': expected a string, got null."),
        (
            {"role": "assistant", "content": None},
            "Invalid value for 'content': expected a string, got null.",
        ),
        (
            {"role": "user", "content": {"a": 1}},
            "Invalid type for 'messages[0].content': expected one of a string or array of objects, "
            "but got an object instead.",
        ),
        (
            {"role": "user", "content": ["x"]},
            "Invalid type for 'messages[0].content[0]': expected an object, but got a string "
            "instead.",
        ),
        (
            {"role": "user", "content": [{"text": "x"}]},
            "Missing required parameter: 'messages[0].content[0].type'.",
        ),
        (
            {"role": "assistant", "tool_calls": []},
            "Invalid 'messages[0].tool_calls': empty array. Expected an array with minimum length "
            "1, but got an empty array instead.",
        ),
        (
            {"role": "assistant", "tool_calls": "a"},
            "Invalid type for 'messages[0].tool_calls': expected an array of objects, but got a "
            "string instead.",
        ),
    ],
)
def test_a_malformed_message_is_refused(client, message, words):
    """OpenAI's words: run-llama/llama_index#17748, docker/docker-agent#63,
    clusterzx/paperless-ai#748, langchain-ai/langgraphjs#506, NousResearch/hermes-agent#84365."""
    assert refusal(client, [message])["message"] == words


@pytest.mark.parametrize("content", [None, 14, {"temperature_c": 9.4}, True])
def test_a_tool_message_without_text_is_refused(client, content):
    """An output must be made text before it goes on the wire."""
    error = refusal(client, [user("x"), asking("a"), tool("a", content)])
    assert "content" in error["message"] and "expected" in error["message"]


def test_a_tool_message_without_its_id_is_refused(client):
    """OpenAI's words, as in run-llama/multi-agent-concierge#16."""
    message = {"role": "tool", "content": "1"}
    error = refusal(client, [user("x"), asking("a"), message])
    assert error["message"] == (
        "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'."
    )
    assert error["param"] == "messages.[2].tool_call_id"
    assert refusal(client, [user("x"), asking("a"), message | {"tool_call_id": 1}])


def test_no_messages_are_refused(client):
    """OpenAI's words, as in CopilotKit/CopilotKit#529."""
    error = refusal(client, [])
    assert error["message"] == (
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an "
        "empty array instead."
    )
    assert (error["param"], error["code"]) == ("messages", "empty_array")


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        (
            [],
            "Invalid 'tools': empty array. Expected an array with minimum length 1, "
            "but got an empty array instead.",
        ),
        ({}, "Invalid type for 'tools': expected an array of objects, but got an object instead."),
        (["f"], "Invalid type for 'tools[0]': expected an object, but got a string instead."),
        ([{"name": "f"}], "Missing required parameter: 'tools[0].type'."),
        ([{"type": "function", "name": "f"}], "Missing required parameter: 'tools[0].function'."),
        (
            [{"type": "function", "function": {}}],
            "Missing required parameter: 'tools[0].function.name'.",
        ),
        (
            [{"type": "function", "function": {"name": "my tool"}}],
            "Invalid 'tools[0].function.name': string does not match pattern. Expected a string "
            "that matches the pattern '^[a-zA-Z0-9_-]+$'.",
        ),
        (
            [{"type": "function", "function": {"name": "f", "parameters": []}}],
            "Invalid type for 'tools[0].function.parameters': expected an object, but got an "
            "array instead.",
        ),
        (
            [{"type": "function", "function": {"name": ""}}],
            "Invalid 'tools[0].function.name': empty string. Expected a string with minimum length "
            "1, but got an empty string instead.",
        ),
        (
            [{"type": "function", "function": {"name": "f" * 65}}],
            "Invalid 'tools[0].function.name': string too long. Expected a string with maximum "
            "length 64, but got a string with length 65 instead.",
        ),
        ([{"type": "function", "function": {"name": "f"}}] * 2, "Tool names must be unique."),
    ],
)
def test_malformed_tools_are_refused(client, tools, words):
    """OpenAI's words: bolna-ai/bolna#144, Vortiago/mcp-azure-devops#30, vllm-project/vllm#39780,
    ravitemer/mcphub.nvim#243; DeepSeek's: dataelement/Clawith#251."""
    assert refusal(client, [user("x")], tools=tools)["message"] == words


LIST = {"type": "array"}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'."),
        (
            {"type": "string"},
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"string\"'.",
        ),
        ({"type": "object"}, "In context=(), object schema missing properties."),
        (
            {"type": "object", "properties": None},
            "In context=(), object schema missing properties.",
        ),
        (
            {"type": "object", "properties": {"paths": LIST}},
            "In context=('properties', 'paths'), array schema missing items.",
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"anyOf": [{}, {"type": "array", "items": LIST}]}},
            },
            "In context=('properties', 'a', 'anyOf', '1', 'items'), array schema missing items.",
        ),
    ],
)
def test_a_schema_that_providers_refuse_is_refused(client, parameters, words):
    """OpenAI's words: evalstate/fast-agent#143, browserbase/stagehand#1159,
    alibaba/spring-ai-alibaba#4576, modelscope/ms-agent#610."""
    tools = [TOOLS[0], {"type": "function", "function": {"name": "f", "parameters": parameters}}]
    error = refusal(client, [user("x")], tools=tools)
    assert error["message"] == f"Invalid schema for function 'f': {words}"
    assert error["param"] == "tools[1].function.parameters"
    assert error["code"] == "invalid_function_parameters"


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "array", "items": {}}}},
        {"type": "object", "properties": {"a": {"type": "object"}}},
    ],
)
def test_a_sound_schema_is_accepted(client, parameters):
    """No parameters at all, anything in a list, any object inside."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    assert ask(client, [user("x")], tools=tools)
    assert ask(client, [user("x")], tools=[{"type": "function", "function": {"name": "f"}}])


def test_what_a_registry_describes_is_accepted(client):
    """Whatever its functions take."""
    registry = ToolRegistry()

    @registry.tool
    def much(a: list, b: dict, c: tuple[int, str], d: list[dict[str, set[int]]] | None = None):
        return a

    @registry.tool
    def nothing():
        return None

    assert ask(client, [user("x")], tools=registry.to_wire())


@pytest.mark.parametrize("length", [40, 41])
def test_an_id_may_have_forty_characters(client, length):
    """OpenAI's words, as in agno-agi/agno#5382."""
    history = [user("x"), asking("a" * length), tool("a" * length)]
    if length <= 40:
        assert ask(client, history)
        return
    error = refusal(client, history)
    assert error["message"] == (
        "Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with maximum "
        "length 40, but got a string with length 41 instead."
    )
    assert error["param"] == "messages[1].tool_calls[0].id"
    assert error["code"] == "string_above_max_length"
    answered = refusal(client, [user("x"), asking("a"), tool("a" * length)])
    assert "messages[2].tool_call_id': string too long" in answered["message"]


@pytest.mark.parametrize("arguments", [None, 3, ["a"], True])
def test_arguments_that_are_no_text_are_refused(client, arguments):
    """OpenAI's words: aaif-goose/goose-mobile#20; the text "null" is refused above."""
    bad = asking("a")
    bad["tool_calls"][0]["function"]["arguments"] = arguments
    error = refusal(client, [user("x"), bad, tool("a")])
    assert error["message"].startswith(
        "Invalid type for 'messages[1].tool_calls[0].function.arguments': expected a string, but got"
    )


def test_an_empty_name_in_the_history_is_refused(client):
    """OpenAI's words, as in continuedev/continue#5091."""
    bad = asking("a")
    bad["tool_calls"][0]["function"]["name"] = ""
    assert refusal(client, [user("x"), bad, tool("a")])["message"] == (
        "Invalid 'messages[1].tool_calls[0].function.name': empty string. Expected a string with "
        "minimum length 1, but got an empty string instead."
    )


@pytest.mark.parametrize("name", ["get time", "caldav.list", "\u5929\u6c14"])
def test_a_name_in_the_history_that_no_tool_can_have_is_refused(client, name):
    """OpenAI's words, as in mcp-use/mcp-use#90."""
    bad = asking("a")
    bad["tool_calls"][0]["function"]["name"] = name
    error = refusal(client, [user("x"), bad, tool("a")])
    assert error["message"] == (
        "Invalid 'messages[1].tool_calls[0].function.name': string does not match pattern. "
        "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
    )
    assert error["param"] == "messages[1].tool_calls[0].function.name"


@pytest.mark.parametrize("option", [{"tool_choice": "auto"}, {"parallel_tool_calls": False}])
def test_options_of_tools_without_tools_are_refused(client, option):
    """OpenAI's words, as in dapr/dapr-agents#248 and openai/swarm#30."""
    (key,) = option
    error = refusal(client, [user("x")], tools=openai.omit, **option)
    assert error["message"] == (
        f"Invalid value for '{key}': '{key}' is only allowed when 'tools' are specified."
    )


def test_a_refused_stream_is_a_plain_error(client):
    """A refusal comes before the stream begins, with its status."""
    assert refusal(client, [], stream=True)["code"] == "empty_array"


# ---------------------------------------------------------------- HTTP
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"3", b'{"a": NaN}', b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(provider, body):
    """OpenAI's words, as in ChatGPTNextWeb/NextChat#4064."""
    status, reply = raw(provider, "POST", "/v1/chat/completions", body)
    assert status == 400
    assert reply["error"]["message"].startswith("We could not parse the JSON body of your request.")


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", "/v1/completions", 404, "Invalid URL (POST /v1/completions)"),
        ("GET", "/", 404, "Invalid URL (GET /)"),
        ("GET", "/v1/chat/completions", 405, "Method Not Allowed"),
        ("POST", "/v1/models", 405, "Method Not Allowed"),
        ("DELETE", "/v1/models", 405, "Method Not Allowed"),
        ("BREW", "/v1/chat/completions", 405, "Method Not Allowed"),
    ],
)
def test_a_wrong_address_is_refused(provider, method, path, status, words):
    """404 with OpenAI's words (harry0703/MoneyPrinterTurbo#57), 405 with vLLM's (its #7463)."""
    error = {"message": words, "type": "invalid_request_error", "param": None, "code": None}
    assert raw(provider, method, path, "{}") == (status, {"error": error})


LENGTHS = {
    "a word": (["Content-Length: x"], 400),
    "nothing": (["Content-Length:"], 400),
    "negative": (["Content-Length: -1"], 400),
    "signed": (["Content-Length: +2"], 400),
    "a fraction": (["Content-Length: 2.0"], 400),
    "other digits": (["Content-Length: \u0662"], 400),
    "two that differ": (["Content-Length: 2", "Content-Length: 3"], 400),
    "chunked": (["Transfer-Encoding: chunked"], 400),
    "both": (["Content-Length: 2", "Transfer-Encoding: chunked"], 400),
    "missing": ([], 400),
    "huge": (["Content-Length: 99999999999"], 413),
    "of many digits": (["Content-Length: " + "9" * 5000], 413),
    "more than comes": (["Content-Length: 20"], 408),
}


def spoken(provider, lines, body=b"", method="POST"):
    """Status and body for a request as written, on a line that stays open; stderr is looked at."""
    with socket.create_connection(address(provider), timeout=30) as line:
        head = [f"{method} /v1/chat/completions HTTP/1.1", *lines, "", ""]
        line.sendall("\r\n".join(head).encode() + body)
        with http.client.HTTPResponse(line) as response:
            response.begin()
            return response.status, json.loads(response.read())


@pytest.mark.parametrize("case", LENGTHS)
def test_a_body_of_impossible_length_is_refused(provider, case, monkeypatch, capfd):
    """A length that can't be read, or that never comes, is told; nothing waits, nothing is printed."""
    monkeypatch.setattr(server, "_LONGEST_WAIT", 0.05)
    lines, status = LENGTHS[case]
    got, reply = spoken(provider, ["Host: 127.0.0.1", *lines], b"{}")
    assert got == status and set(reply["error"]) == {"message", "type", "param", "code"}
    told = {400: "We could not parse", 408: "Request timeout", 413: "Request too large"}[status]
    assert reply["error"]["message"].startswith(told)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 400),
        ("127.0.0.1:8000", 400),
        ("localhost:1", 400),
        ("LocalHost.", 400),
        ("[::1]:9", 400),
        (None, 400),
        ("models.example", 403),
        ("models.example:80", 403),
        ("127.0.0.1.example", 403),
        ("localhost.example", 403),
        ("127.0.0.1@models.example", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_a_page_whose_name_leads_here_is_refused(provider, host, status, capfd):
    """DNS rebinding: a browser sends the page's own name as Host, and gets nothing to read."""
    before = len(provider.requests)
    lines = ["Content-Length: 2"] + ([] if host is None else [f"Host: {host}"])
    got, reply = spoken(provider, lines, b"{}")
    assert got == status
    assert ("is not this machine" in reply["error"]["message"]) == (status == 403)
    assert len(provider.requests) == before + (status == 400)
    assert capfd.readouterr() == ("", "")


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_are_answered_or_hung_up_on(provider, first, second):
    """No bytes of a request's head print a traceback, nor leave the server without an answer."""
    with socket.create_connection(address(provider), timeout=30) as line:
        head = b"POST /v1/models HTTP/1.1\r\nContent-Length: " + first + b"\r\nX: " + second
        line.sendall(head + b"\r\n\r\n")
        line.shutdown(socket.SHUT_WR)
        while line.recv(4096):
            pass
    assert raw(provider, "GET", "/v1/models")[0] == 200


def test_a_script_may_refuse():
    """As a provider that is busy does, say."""

    def script(request):
        raise Refused("Rate limit reached", code="rate_limit_exceeded", status=429)

    refused = pytest.raises(openai.RateLimitError, match="Rate limit reached")
    with ScriptedProvider(script) as provider, client_of(provider) as client, refused:
        ask(client, [user("x")])


def test_a_connection_outlives_a_refusal(provider):
    """After 404 and 400 the same connection serves the next request."""
    connection = http.client.HTTPConnection(*address(provider), timeout=30)
    for path in ("/nowhere", "/v1/chat/completions", "/v1/chat/completions"):
        connection.request("POST", path, b"some text")
        response = connection.getresponse()
        assert response.status in (404, 400) and response.read()
        assert not response.will_close
    connection.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "system"])},
        optional={
            "content": JSON | st.just(QUERY),
            "tool_call_id": st.sampled_from(["a", "b"]) | JSON,
            "tool_calls": st.just(asking("a")["tool_calls"]) | st.lists(JSON, max_size=2) | JSON,
        },
    ),
    max_size=4,
)
BODIES = JSON | st.fixed_dictionaries(
    {"messages": MESSAGES | JSON},
    optional={
        key: JSON | st.just(value)
        for key, value in {
            "model": "m",
            "tools": TOOLS,
            "tool_choice": {"type": "function", "function": {"name": "get_time"}},
            "parallel_tool_calls": False,
            "stream": True,
            "stream_options": {"include_usage": True},
        }.items()
    },
)


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(body=BODIES)
def test_any_json_is_served_or_refused(provider, body):
    """Whatever JSON comes gets 200, or 4xx with an error; never a 500."""
    connection = http.client.HTTPConnection(*address(provider), timeout=30)
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    if response.headers["content-type"] != "application/json":
        assert response.status == 200 and text.endswith("data: [DONE]\n\n")
    elif response.status == 200:
        ChatCompletion.model_validate_json(text)
    else:
        assert 400 <= response.status < 500 and json.loads(text)["error"]["message"]


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.sampled_from(["in", "for", "time", "weather", "Paris", "new", "york,", "&", "é"]))
)
def test_any_question_is_understood_or_not(words):
    """The script gives words or sound calls for any text, cities never empty."""
    message = city_script({"messages": [user(" ".join(words))], "tools": TOOLS})
    assert message["content"] or all(city for _, city in asked(message))


# ---------------------------------------------------------------- a server's life
def test_latency_is_asked_for_each_reply(monkeypatch):
    """A plain reply waits the whole latency; a streamed one waits as long, spread over its chunks."""
    with ScriptedProvider() as provider, client_of(provider) as client:
        waits = []
        monkeypatch.setattr(
            provider.closing, "wait", lambda seconds: waits.append(seconds) and False
        )
        ask(client, [user("x")])
        assert waits == [0.0]
        provider.latency = 7.5
        ask(client, [user("x")])
        assert waits == [0.0, 7.5]
        waits.clear()
        assert list(ask(client, [user("x")], stream=True))
        assert len(waits) > 10 and len(set(waits)) == 1
        assert sum(waits) == pytest.approx(7.5)


def test_latency_is_real():
    """The wait takes place."""
    with ScriptedProvider(latency=0.2) as provider, client_of(provider) as client:
        started = time.perf_counter()
        ask(client, [user("x")])
        assert time.perf_counter() - started >= 0.2


def test_turns_of_two_clients_overlap():
    """Two requests are served at the same time: each script waits for the other's."""
    both = threading.Barrier(2, timeout=30)

    def script(request):
        both.wait()
        return {"content": "met"}

    with ScriptedProvider(script) as provider, client_of(provider) as client:
        said = []
        threads = [
            threading.Thread(target=lambda: said.append(message_of(client, [user("x")])["content"]))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert said == ["met", "met"]


def sockets_at(place):
    """Of this process, those whose own end is the server's."""
    return [s for s in psutil.Process().net_connections("tcp") if s.laddr == place]


def test_closing_leaves_no_thread_and_no_socket():
    """After close nothing listens, and idle connections and their threads are gone."""
    before = set(threading.enumerate())
    with ScriptedProvider() as provider:
        place = address(provider)
        clients = [client_of(provider) for _ in range(3)]
        for client in clients:
            ask(client, [user("x")])
        assert len(sockets_at(place)) == 4  # one listens
    assert set(threading.enumerate()) <= before
    assert sockets_at(place) == []
    with pytest.raises(OSError):
        socket.create_connection(place, timeout=5)
    for client in clients:
        client.close()


def test_closing_hangs_up_in_the_middle_of_a_reply():
    """A reply that would take an hour doesn't hold up ``close``; its client sees a lost line."""
    before = set(threading.enumerate())
    with ScriptedProvider(latency=3600) as provider, client_of(provider) as client:
        failed = threading.Event()

        def wait():
            with pytest.raises(openai.APIConnectionError):
                ask(client, [user("x")])
            failed.set()

        thread = threading.Thread(target=wait)
        thread.start()
        while not provider.requests:
            time.sleep(0.01)
        provider.close()
        assert failed.wait(30)
        thread.join(30)
    assert set(threading.enumerate()) <= before


def test_it_starts_again_after_closing():
    """``start`` and ``close`` may come twice; between them there is no address."""
    provider = ScriptedProvider([{"content": "here"}])
    with pytest.raises(RuntimeError, match="not started"):
        _ = provider.base_url
    provider.close()
    for _ in range(2):
        assert provider.start() is provider.start()
        with client_of(provider) as client:
            assert message_of(client, [user("x")])["content"] == "here"
        provider.close()
        provider.close()


def test_starting_asks_no_dns(monkeypatch):
    """The server's name is not looked up, which takes seconds on some machines."""
    monkeypatch.setattr(socket, "getfqdn", lambda *_: pytest.fail("asked for a name"))
    ScriptedProvider().start().close()


def test_a_key_is_kept_nowhere():
    """Bodies are recorded, headers are not."""
    with ScriptedProvider() as provider:
        client = openai.OpenAI(base_url=provider.base_url, api_key="sk-very-secret")
        with client:
            ask(client, [user("what I asked")])
        kept = texts_within(provider)
    assert "what I asked" in kept
    assert not [text for text in kept if "sk-very-secret" in text]


def texts_within(thing):
    """What the object holds of text, and what it holds does, and so on."""
    found, todo, seen = [], [thing], set()
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType):
            continue
        seen.add(id(each))
        if isinstance(each, str | bytes):
            found.append(str(each))
        todo += gc.get_referents(each)
    return found


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_process_that_never_closes_it_exits():
    """Neither the server nor an open connection keeps the interpreter alive."""
    run(
        "import http.client\n"
        "from ptc.provider import ScriptedProvider\n"
        "provider = ScriptedProvider().start()\n"
        "line = http.client.HTTPConnection(provider.base_url.split('/')[2])\n"
        "line.request('GET', '/v1/models')\n"
        "assert line.getresponse().status == 200\n"
    )


def test_a_client_that_hangs_up_leaves_no_traceback():
    """A line cut in the middle of a request, of a reply or of a stream is nobody's news."""
    run(
        "import json, socket, struct, threading, time\n"
        "from ptc.provider import ScriptedProvider\n"
        "words = {'content': 'word ' * 20_000}\n"
        "with ScriptedProvider([words], latency=0.05) as provider:\n"
        "    host, port = provider.base_url.split('/')[2].split(':')\n"
        "    for stream in (None, False, True):\n"
        "        body = json.dumps({'messages': [{'role': 'user', 'content': ''}], 'stream': stream})\n"
        "        line = socket.create_connection((host, int(port)))\n"
        "        size = len(body) + (9 if stream is None else 0)\n"
        "        head = f'POST /v1/chat/completions HTTP/1.1\\r\\nContent-Length: {size}\\r\\n\\r\\n'\n"
        "        line.sendall((head + body).encode())\n"
        "        if stream:\n"
        "            line.recv(100)\n"
        "        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
        "        line.close()\n"
        "    time.sleep(0.5)\n"
    )


def test_it_needs_no_sdk():
    """Importing the provider brings the standard library only."""
    run(
        "import sys, ptc.provider\n"
        "heavy = {'openai', 'pydantic', 'httpx2', 'tenacity', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )


@pytest.mark.parametrize("module", [loopback, refusals, script, server, small])
def test_the_examples_in_the_docstrings_hold(module):
    options = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    found = doctest.testmod(module, extraglobs={"openai": openai}, optionflags=options)
    assert found.attempted and not found.failed
