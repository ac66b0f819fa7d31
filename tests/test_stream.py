"""Calls that start while the reply still streams in."""

import doctest
import json
import re
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import anthropic.types
import openai.types.responses
import pytest
from common import PATIENCE
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

import ptc.stream
from ptc import (
    RetryPolicy,
    ToolRegistry,
    answer,
    connect,
    extract_parallel_calls,
    format_parallel_results,
)
from ptc.provider import ScriptedProvider, tool_call
from ptc.provider.refusals import check_request
from ptc.stream import execute_stream
from ptc.tools import CityTools
from ptc.wire import UnreadableReplyError
from ptc.wire.deltas import JsonScanner
from ptc.wire.events import stream_format
from ptc.wire.incoming import IncomingReply


@pytest.fixture
def registry():
    registry = ToolRegistry()
    registry.register(lambda **given: given, name="echo", schema={"type": "object"})
    return registry


def chunk(*calls, finish=None, **fields):
    delta = fields | ({"tool_calls": list(calls)} if calls else {})
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def delta(index=None, id=None, name=None, arguments=None):
    function = {"name": name, "arguments": arguments}
    function = {key: value for key, value in function.items() if value is not None}
    given = {"index": index, "id": id, "function": function or None}
    return {key: value for key, value in given.items() if value is not None}


END = chunk(finish="tool_calls")


def facts(results):
    return [(result.call.id, result.call.name, result.success) for result in results]


def accepted(reply):
    """Does the strict provider take the history that a streamed reply leaves?"""
    answers = format_parallel_results(reply.results)
    check_request({"messages": [{"role": "user", "content": "?"}, reply.message, *answers]})
    return True


# When a call starts


def test_a_call_starts_while_the_model_still_speaks(registry):
    """The stream goes on only when the first call has run: who waits for its end, waits for ever."""
    ran = threading.Event()
    registry.register(ran.set, name="signal", schema={})

    def stream():
        yield chunk(delta(0, "a", "signal", "{}"))
        assert ran.wait(PATIENCE), "the first call has not started"
        yield chunk(delta(1, "b", "echo", '{"x": 1}'))
        yield END

    reply = execute_stream(stream(), registry)
    assert facts(reply.results) == [("a", "signal", True), ("b", "echo", True)]
    assert reply.cut is None


def test_results_are_in_request_order_and_heard_as_they_end(registry):
    second_done = threading.Event()
    registry.register(lambda: second_done.wait(PATIENCE), name="slow")
    registry.register(second_done.set, name="quick", schema={})
    heard = []
    stream = [chunk(delta(0, "a", "slow", "{}"), delta(1, "b", "quick", "{}")), END]
    reply = execute_stream(stream, registry, on_result=heard.append)
    assert [result.call.id for result in reply.results] == ["a", "b"]
    assert [result.call.id for result in heard] == ["b", "a"]


def test_a_result_is_heard_while_the_stream_stalls(registry):
    heard = threading.Event()

    def stream():
        yield chunk(delta(0, "a", "echo", "{}"))
        assert heard.wait(PATIENCE)
        yield END

    reply = execute_stream(stream(), registry, on_result=lambda _: heard.set())
    assert reply.cut is None


def test_a_tool_that_is_not_idempotent_waits_for_the_replys_end(registry):
    paid, echoed = threading.Event(), threading.Event()
    registry.register(paid.set, name="pay", schema={}, idempotent=False)
    registry.register(echoed.set, name="signal", schema={})

    def stream():
        yield chunk(delta(0, "a", "pay", "{}"), delta(1, "b", "signal", "{}"))
        assert echoed.wait(PATIENCE) and not paid.wait(0.05)
        yield END

    reply = execute_stream(stream(), registry)
    assert paid.is_set() and facts(reply.results)[0] == ("a", "pay", True)
    assert reply.cut is None  # what the stream asserts counts as a cut


def test_empty_arguments_start_at_the_end(registry):
    with pytest.warns(UserWarning, match="mended"):  # an empty text is no JSON
        reply = execute_stream([chunk(delta(0, "a", "echo", "")), END], registry)
    assert reply.results[0].output == {}


def test_never_more_at_once_than_workers(registry):
    gate = threading.Semaphore(2)

    @registry.tool
    def work():
        assert gate.acquire(blocking=False), "three at once"
        time.sleep(0.001)
        gate.release()

    chunks = [chunk(delta(n, f"c{n}", "work", "{}")) for n in range(20)]
    assert all(r.success for r in execute_stream([*chunks, END], registry, 2).results)


# What providers really send

NAMES = st.sampled_from(["echo", "get_time"])
VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=5) | st.sampled_from(['"', "\\", "}", "é\\"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)
BATCHES = st.lists(st.tuples(NAMES, st.dictionaries(st.text(max_size=3), VALUES, max_size=2)),
                   min_size=1, max_size=4)  # fmt: skip


def pieces(data, text):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(batch=BATCHES, data=st.data())
def test_any_split_of_any_batch_gives_the_calls_of_the_whole_reply(batch, data):
    """Deltas of several calls mixed, ids once or always, no index or always 0, names in pieces."""
    wanted = [tool_call(name, arguments, id=f"id{n}") for n, (name, arguments) in enumerate(batch)]
    habit = data.draw(st.sampled_from(["index", "always 0", "no index", "ids always", "mixed"]))
    queues = []
    for n, whole in enumerate(wanted):
        index = {"always 0": 0, "no index": None}.get(habit, n)
        function = whole["function"]
        first = pieces(data, function["name"])
        head = [delta(index, whole["id"], first[0], "")]
        head += [delta(index, None, piece) for piece in first[1:] if piece]
        body = [delta(index, None, None, piece) for piece in pieces(data, function["arguments"])]
        if habit == "ids always":
            head, body = ([d | {"id": whole["id"]} for d in part] for part in (head, body))
        queues.append(head + body)
    if habit == "mixed":
        order = data.draw(st.permutations([n for n, queue in enumerate(queues) for _ in queue]))
        firsts = list(range(len(queues)))  # the first deltas come in the order of the calls
        sent = [queues[n].pop(0) for n in firsts]
        sent += [queues[n].pop(0) for n in order if queues[n]]
    else:
        sent = [one for queue in queues for one in queue]
    registry = ToolRegistry()
    for name in ("echo", "get_time"):
        registry.register(lambda **given: given, name=name, schema={"type": "object"})
    text = [chunk(role="assistant", content=""), chunk(content="Let me "), chunk(content="see.")]
    reply = execute_stream([*text, *map(chunk, sent), END], registry)
    message = {"role": "assistant", "content": "Let me see.", "tool_calls": wanted}
    whole = extract_parallel_calls({"choices": [{"message": message}]})
    assert [result.call for result in reply.results] == whole
    assert [result.output for result in reply.results] == [call.arguments for call in whole]
    assert reply.message == message and reply.cut is None
    assert accepted(reply)


@pytest.mark.parametrize(
    "sent",
    [
        [delta(0, None, "echo", '{"x": 1}'), delta(0, None, "echo", '{"x": 2}')],
        [delta(None, "a", "echo", '{"x": 1}'), delta(None, "b", "echo", '{"x": 2}')],
        [delta(0, "a", "echo", '{"x": 1}'), delta(0, "b", "echo", '{"x": 2}')],
        [delta(0, "a", "echo", '{"x": 1}'), delta(1, "a", "echo", '{"x": 2}')],
        [
            delta(0, "a", "echo", '{"x"'),
            delta(0, "a", "echo", ": 1}"),
            delta(1, "b", "echo", '{"x": 2}'),
        ],
        [
            delta(0, "a", "echo", ""),
            *(delta(0, f"a{n}", "", piece) for n, piece in enumerate(['{"', 'x": ', "1}"])),
            delta(0, "b", "echo", ""),
            *(delta(0, f"b{n}", "", piece) for n, piece in enumerate(['{"', 'x": ', "2}"])),
        ],
        [
            delta(0, "a", "echo", '{"x": 1}'),
            delta(0, "b", "echo", ""),
            delta(1, None, None, '{"x"'),
            delta(1, None, None, ": 2}"),
        ],
    ],
    ids=[
        *("no ids, index 0", "no index", "index 0, new id", "one id twice"),
        *("name with each delta", "a new id with each delta", "another index in the middle"),
    ],
)
def test_two_calls_stay_two(registry, sent):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what was mended
        reply = execute_stream([*map(chunk, sent), END], registry)
    assert [result.output for result in reply.results] == [{"x": 1}, {"x": 2}]
    assert len({result.call.id for result in reply.results}) == 2
    assert accepted(reply)


def test_anthropics_events(registry):
    """Built from the SDK's own types; thinking and its signature go back as they came."""
    events = [
        {"type": "message_start", "message": {"role": "assistant", "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Two."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t1", "name": "echo", "input": {}}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"x"'}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ": 1}"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "t2", "name": "echo", "input": {}}},
        {"type": "content_block_stop", "index": 2},
        {"type": "message_stop"},
    ]  # fmt: skip
    made = [
        anthropic.types.RawContentBlockStartEvent.model_validate(event)
        if event["type"] == "content_block_start"
        else event
        for event in events
    ]
    reply = execute_stream(made, registry)
    assert [result.output for result in reply.results] == [{"x": 1}, {}]
    assert reply.message == {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Two.", "signature": "sig"},
            {"type": "tool_use", "id": "t1", "name": "echo", "input": {"x": 1}},
            {"type": "tool_use", "id": "t2", "name": "echo", "input": {}},
        ],
    }


def test_the_real_clients_stream():
    registry = CityTools(now="2026-11-23T14:05+01:00").registry()
    with ScriptedProvider() as provider:
        client = openai.OpenAI(base_url=provider.base_url, api_key="none")
        with client:
            query = "What's the time, the date and the weather in Paris?"
            streamed = answer(query, registry, client, stream=True)
            whole = answer(query, registry, client)
    assert streamed.text == whole.text != ""
    assert [len(turn.results) for turn in streamed.turns] == [3, 0]
    assert streamed.messages == whole.messages


def test_words_alone(registry):
    reply = execute_stream(
        [chunk(content="Hel"), chunk(content="lo"), chunk(finish="stop")], registry
    )
    assert reply.results == [] and reply.message == {"role": "assistant", "content": "Hello"}


# What goes wrong


def broken_after(*chunks):
    yield from chunks
    raise ConnectionResetError("gone")


@pytest.mark.parametrize(
    "end", [broken_after, lambda *chunks: iter(chunks)], ids=["raises", "ends"]
)
def test_a_cut_stream_keeps_what_is_done(registry, end):
    """Whole calls keep their results, the broken one and the one that pays get an error."""
    paid = threading.Event()
    registry.register(paid.set, name="pay", schema={}, idempotent=False)
    stream = end(
        chunk(delta(0, "a", "echo", '{"x": 1}')),
        chunk(delta(1, "b", "pay", "{}")),
        chunk(delta(2, "c", "echo", '{"x": ')),
    )
    with pytest.warns(UserWarning, match="mended"):
        reply = execute_stream(stream, registry)
    assert facts(reply.results) == [("a", "echo", True), ("b", "pay", False), ("c", "echo", False)]
    assert reply.cut and all("cut off" in result.error for result in reply.results[1:])
    assert not paid.is_set() and accepted(reply)


def test_a_stream_that_stalls_past_the_timeout_is_cut(registry):
    release, hung_up = threading.Event(), threading.Event()

    class Stalls:
        def __iter__(self):
            yield chunk(delta(0, "a", "echo", '{"x": 1}'))
            yield chunk(delta(1, "b", "echo", '{"x"'))
            release.wait(PATIENCE)
            yield END

        def close(self):
            hung_up.set()

    with pytest.warns(UserWarning, match="mended"):
        reply = execute_stream(Stalls(), registry, timeout=0.2)
    release.set()
    assert facts(reply.results) == [("a", "echo", True), ("b", "echo", False)]
    assert "stalled" in reply.cut and hung_up.wait(PATIENCE) and accepted(reply)


def test_arguments_that_go_on_after_their_end_are_an_error(registry):
    sent = [chunk(delta(0, "a", "echo", '{"x": 1}')), chunk(delta(0, None, None, "{")), END]
    with pytest.warns(UserWarning, match="mended"):
        reply = execute_stream(sent, registry)
    assert not reply.results[0].success and "went on" in reply.results[0].error


def test_bad_arguments_and_unknown_tools_touch_no_other(registry):
    sent = [
        delta(0, "a", "echo", "[1]"),
        delta(1, "b", "nope", "{}"),
        delta(2, "c", "echo", '{"x": 1}'),
    ]
    with pytest.warns(UserWarning, match="mended"):
        reply = execute_stream([chunk(*sent), END], registry)
    assert [result.success for result in reply.results] == [False, False, True]


def test_an_error_in_the_stream_is_a_cut(registry):
    reply = execute_stream(
        [chunk(delta(0, "a", "echo", "{}")), {"error": {"message": "overloaded"}}], registry
    )
    assert "overloaded" in reply.cut and reply.results[0].success


def test_an_exception_in_on_result_comes_through_and_hangs_up(registry):
    hung_up = threading.Event()

    class Endless:
        def __iter__(self):
            yield chunk(delta(0, "a", "echo", "{}"))
            hung_up.wait(PATIENCE)

        def close(self):
            hung_up.set()

    def stop(result):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        execute_stream(Endless(), registry, on_result=stop)
    assert hung_up.wait(PATIENCE)


def test_what_is_no_stream_raises(registry):
    with pytest.raises(ValueError, match="is not a chunk of a stream"):
        execute_stream(["words"], registry)
    with pytest.raises(ValueError, match="max_workers=0"):
        execute_stream([], registry, 0)


def test_other_executors_and_retries_work_too(registry):
    attempts = []

    @registry.tool
    def flaky():
        attempts.append(1)
        if len(attempts) < 2:
            raise ConnectionError("down")
        return "up"

    retry = RetryPolicy(wait_initial=0, wait_jitter=0)
    stream = [chunk(delta(0, "a", "flaky", "{}"), delta(1, "b", "echo", "{}")), END]
    with ThreadPoolExecutor(2) as pool:
        reply = execute_stream(stream, registry, retry=retry, executor=pool)
    assert [result.output for result in reply.results] == ["up", {}]


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), st.data())
def test_the_end_of_an_object_is_seen_at_its_last_character(value, data):
    text, scan = json.dumps(value), JsonScanner()
    for piece in pieces(data, text[:-1]):
        scan.feed(piece)
        assert not scan.is_complete
    scan.feed(text[-1])
    assert scan.is_complete
    scan.feed(" \n")
    assert scan.is_complete


# Replies that were cut


@pytest.fixture
def paying(registry):
    """The registry, with a tool that must not run in vain, and what was paid."""
    paid = []
    registry.register(lambda **given: paid.append(given), name="pay", idempotent=False,
                      schema={"type": "object"})  # fmt: skip
    return registry, paid


def anthropic_events(calls, stop_reason="tool_use"):
    """Calls as name and pieces of arguments, as Anthropic streams them."""
    yield {"type": "message_start", "message": {"role": "assistant", "content": []}}
    for index, (name, pieces) in enumerate(calls):
        block = {"type": "tool_use", "id": f"id{index}", "name": name, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for piece in pieces:
            part = {"type": "input_json_delta", "partial_json": piece}
            yield {"type": "content_block_delta", "index": index, "delta": part}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": stop_reason}}
    yield {"type": "message_stop"}


def bedrock_events(calls, stop_reason="tool_use"):
    yield {"messageStart": {"role": "assistant"}}
    for index, (name, pieces) in enumerate(calls):
        start = {"toolUse": {"toolUseId": f"id{index}", "name": name}}
        yield {"contentBlockStart": {"start": start, "contentBlockIndex": index}}
        for piece in pieces:
            part = {"toolUse": {"input": piece}}
            yield {"contentBlockDelta": {"delta": part, "contentBlockIndex": index}}
        yield {"contentBlockStop": {"contentBlockIndex": index}}
    yield {"messageStop": {"stopReason": stop_reason}}
    yield {"metadata": {"metrics": {"latencyMs": 1}}}


def responses_events(calls, incomplete=None):
    items = []
    yield {"type": "response.created", "response": {"status": "in_progress", "output": []}}
    for index, (name, pieces) in enumerate(calls):
        item = {"type": "function_call", "id": f"fc_{index}", "call_id": f"id{index}", "name": name}
        at = {"output_index": index, "item_id": f"fc_{index}"}
        begun = item | {"arguments": "", "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": index, "item": begun}
        for piece in pieces:
            yield {"type": "response.function_call_arguments.delta", "delta": piece} | at
        text = "".join(pieces)
        is_last = index == len(calls) - 1
        status = "incomplete" if incomplete and is_last else "completed"
        items.append(item | {"arguments": text, "status": status})
        yield {"type": "response.function_call_arguments.done", "arguments": text} | at
        yield {"type": "response.output_item.done", "output_index": index, "item": items[-1]}
    response = {"status": "completed", "output": items}
    if incomplete:
        response |= {"status": "incomplete", "incomplete_details": {"reason": incomplete}}
    yield {"type": f"response.{response['status']}", "response": response}


def chat_chunks(calls, finish="tool_calls"):
    for index, (name, pieces) in enumerate(calls):
        yield chunk(delta(index, f"id{index}", name, ""))
        for piece in pieces:
            yield chunk(delta(index, None, None, piece))
    yield chunk(finish=finish)


STREAMS = {
    "openai": (chat_chunks, "length"),
    "anthropic": (anthropic_events, "max_tokens"),
    "bedrock": (bedrock_events, "max_tokens"),
    "openai-responses": (responses_events, "max_output_tokens"),
}
every_stream = pytest.mark.parametrize("kind", list(STREAMS))


def asked(message, kind):
    """Ids, names and arguments of the calls in a message, of any format."""
    replies = {
        "openai": {"choices": [{"message": message}]},
        "anthropic": {"content": message["content"]} if kind == "anthropic" else None,
        "bedrock": {"output": {"message": message}},
        "openai-responses": {"output": message},
    }
    calls = extract_parallel_calls(replies[kind])
    return [(call.id, call.name, call.arguments) for call in calls]


@every_stream
def test_a_streams_calls_are_those_of_its_whole_reply(kind, registry):
    make, _ = STREAMS[kind]
    calls = [("echo", ['{"x"', ": 1}"]), ("echo", []), ("nope", ["{}"])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        reply = execute_stream(make(calls), registry)
    assert [result.output for result in reply.results] == [{"x": 1}, {}, None]
    assert [result.call.id for result in reply.results] == ["id0", "id1", "id2"]
    assert asked(reply.message, kind) == [
        ("id0", "echo", {"x": 1}), ("id1", "echo", {}), ("id2", "nope", {})
    ]  # fmt: skip
    assert reply.cut is None


@every_stream
def test_a_call_starts_in_any_format_while_the_model_still_speaks(kind, registry):
    ran = threading.Event()
    registry.register(lambda: ran.set() or "ran", name="signal")
    make, _ = STREAMS[kind]

    def stream():
        for event in make([("signal", ["{", "}"]), ("echo", ["{}"])]):
            if '"echo"' in json.dumps(event) and "completed" not in json.dumps(event):
                assert ran.wait(PATIENCE)
            yield event

    reply = execute_stream(stream(), registry)
    assert [result.output for result in reply.results] == ["ran", {}] and reply.cut is None


@every_stream
@pytest.mark.parametrize("last", [[], ["{"], ["{}"], ['{"n": 0}']])
def test_what_was_cut_does_not_pay(kind, last, paying):
    """Neither the last call nor one before it, complete or not; whoever may repeat has run."""
    registry, paid = paying
    make, reason = STREAMS[kind]
    calls = [("pay", ['{"n": 1}']), ("echo", ['{"x": 1}']), ("pay", last)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        reply = execute_stream(make(calls, reason), registry)
    assert not paid and reason in reply.cut
    assert [result.success for result in reply.results] == [False, True, False]
    assert all("cut off" in r.error for r in reply.results if not r.success)
    assert "a limit" in reply.results[2].error and reply.results[2].call.cut == reply.cut


def test_of_a_cut_reply_only_what_may_run_in_vain_is_handed_on(paying):
    """What must not run is not even given to the batch, which would refuse it too."""
    registry, _ = paying
    incoming = IncomingReply(registry)
    for each in chat_chunks([("pay", ["{}"]), ("echo", []), ("echo", [])], "length"):
        assert incoming.take(each) == []
    assert [call.id for call in incoming.end()] == ["id1"]


@every_stream
def test_empty_arguments_before_a_cut_are_run_where_they_may_be(kind, registry):
    """As of the whole reply: the last call alone may be a half."""
    make, reason = STREAMS[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        reply = execute_stream(make([("echo", []), ("echo", [])], reason), registry)
    assert [result.success for result in reply.results] == [True, False]
    assert reply.results[0].call.cut == reply.cut


def test_a_call_that_pays_waits_beyond_the_finish_reason(paying):
    """It may come early, and a stream that breaks off after it is cut all the same."""
    registry, paid = paying
    stream = broken_after(chunk(delta(0, "a", "pay", "{}"), finish="stop"))
    reply = execute_stream(stream, registry)
    assert not paid and "gone" in reply.cut


# What else providers send


@pytest.mark.parametrize(
    ("sent", "outputs"),
    [
        ([delta(0, "a", "echo", '{"x": 1}'), delta(0, None, "echo", "")], [{"x": 1}]),
        ([delta(0, None, "echo", '{"x": 1}'), delta(0, None, "echo", "")], [{"x": 1}]),
        (
            [
                delta(0, None, "echo", '{"x": 1}'),
                delta(0, None, "echo", ""),
                delta(0, None, None, '{"x": 2}'),
            ],
            [{"x": 1}, {"x": 2}],
        ),
        ([delta(0, "a", "echo", '{"x": 1}'), delta(0, "a", "echo", '{"x": 1}')], [{"x": 1}]),
        ([delta(0, "a", "want", "{}"), delta(0, None, None, '{"x": 1}')], [1]),
        ([delta(0, "a", "want", "{}"), delta(0, "a", "want", '{"x": 1}')], [1]),
        ([delta(0, "a", "want", "{}"), *(delta(0, None, None, p) for p in ('{"x"', ": 1}"))], [1]),
        ([delta(0, "a", "want", "null"), delta(0, None, None, '{"x": 1}')], [1]),
        ([delta(0, "a", "echo", "null")], [{}]),
        ([delta(0, "a", "want", {"x": 1})], [1]),
        ([delta(0, None, "now"), delta(0, None, "city")], ["now", "city"]),
        ([delta(0, None, "now", ""), delta(0, None, "city", "")], ["now", "city"]),
        ([delta(None, None, "now", "{}"), delta(None, None, "city", "{}")], ["now", "city"]),
        ([delta(0, None, "now", "{}"), delta(0, None, "city", "")], ["now", "city"]),
        ([delta(0, None, "now_", ""), delta(0, None, "city", "{}")], ["now_city"]),
        ([delta(0, None, "now", ""), delta(0, None, "_city", "{}")], ["now_city"]),
    ],
)
def test_habits_of_providers(sent, outputs, registry):
    """Names repeated, placeholders first, everything twice, two calls at one index."""
    for name in ("now", "city", "now_city"):
        registry.register(lambda name=name: name, name=name, schema={})

    @registry.tool
    def want(x: int) -> int:
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        reply = execute_stream([*map(chunk, sent), END], registry)
    assert [result.output for result in reply.results] == outputs
    assert all(result.success for result in reply.results) and accepted(reply)


@pytest.mark.parametrize("name", ["echo", "want", "pay"])
def test_a_finish_reason_before_the_last_piece_ends_nothing(name, paying):
    registry, _ = paying
    registry.register(lambda city: city, name="want")
    stream = [
        chunk(delta(0, "a", name, '{"ci')),
        END,
        chunk(delta(0, None, None, 'ty": "Oslo"}')),
        chunk(finish="stop"),
    ]
    reply = execute_stream(stream, registry)
    assert reply.results[0].success and reply.cut is None
    assert reply.results[0].call.arguments == {"city": "Oslo"}


def test_arguments_after_an_empty_object_that_ran_are_told(registry):
    """The tool wants none, so it ran at once; nothing that is said of it is untrue."""
    sent = [chunk(delta(0, "a", "echo", "{}")), chunk(delta(0, None, None, '{"x": 1}')), END]
    (result,) = execute_stream(sent, registry).results
    assert "it ran with {}" in result.error and result.call.arguments == {"x": 1}


def test_arguments_that_go_on_without_a_run_are_not_said_to_have_run(registry):
    @registry.tool
    def want(x: int) -> int:
        return x

    sent = [chunk(delta(0, "a", "want", '{"x": "y"}')), chunk(delta(0, None, None, "}")), END]
    with pytest.warns(UserWarning, match="mended"):
        (result,) = execute_stream(sent, registry).results
    assert "ran" not in result.error and "not started" in result.error


def test_a_call_that_a_stream_repeats_is_run_once(paying):
    """With one id, name and arguments; equal calls with ids of their own are run each."""
    registry, paid = paying
    sent = [delta(n, id, "pay", '{"n": 1}') for n, id in enumerate(["a", "a", "b"])]
    with pytest.warns(UserWarning, match="mended"):
        reply = execute_stream([chunk(*sent), END], registry)
    assert len(paid) == 2
    assert [result.success for result in reply.results] == [True, False, True]
    assert accepted(reply)


def test_ids_of_ours_are_nine_letters_and_digits(registry):
    long = "call_" + "x" * 35
    sent = [delta(n, id, "echo", f'{{"x": {n}}}') for n, id in enumerate([long, long, None])]
    with pytest.warns(UserWarning, match="mended"):
        reply = execute_stream([chunk(*sent), END], registry)
    ids = [result.call.id for result in reply.results]
    assert ids[0] == long and all(len(id) == 9 and id.isalnum() for id in ids[1:])
    assert [result.call.sent_id for result in reply.results] == [long, long, None]


def test_a_server_tools_input_is_in_the_history(registry):
    """Anthropic's own tools stream their input as ours do, and are no calls."""
    block = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    part = {"type": "input_json_delta", "partial_json": '{"query": "q"}'}
    first = [
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": part},
    ]
    reply = execute_stream([*first, {"type": "message_stop"}], registry)
    assert reply.results == [] and reply.cut is None
    assert reply.message["content"] == [block | {"input": {"query": "q"}}]


def test_responses_events_of_the_sdk(registry):
    """Its own types; reasoning and words go back as in the last event, which has all items."""
    items = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "echo", "arguments": '{"x": 1}', "status": "completed"},
    ]  # fmt: skip
    response = {"id": "r", "object": "response", "created_at": 1, "model": "m", "output": items,
                "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "status": "completed"}  # fmt: skip
    events = [
        {"type": "response.output_item.done", "output_index": 0, "sequence_number": 0, "item": items[0]},
        {"type": "response.output_item.added", "output_index": 1, "sequence_number": 1, "item": items[1] | {"arguments": ""}},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "sequence_number": 2, "item_id": "fc_1", "delta": '{"x": 1}'},
        {"type": "response.completed", "sequence_number": 3, "response": response},
    ]  # fmt: skip
    kind = TypeAdapter(openai.types.responses.ResponseStreamEvent)
    reply = execute_stream([kind.validate_python(event) for event in events], registry)
    assert [result.output for result in reply.results] == [{"x": 1}]
    assert reply.message == items and reply.cut is None


def test_responses_that_break_off_keep_what_came(registry):
    """Items in their order, half a message as far as it came; the reasoning that never ended goes."""
    whole = list(responses_events([("echo", ['{"x": 1}'])]))[:-1]
    message = {
        "type": "message",
        "id": "m",
        "role": "assistant",
        "status": "in_progress",
        "content": [],
    }
    thought = {"type": "reasoning", "id": "r", "summary": [], "status": "in_progress"}
    more = [
        {"type": "response.output_item.added", "output_index": 1, "item": message},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "Let "},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "me"},
        {"type": "response.output_item.added", "output_index": 2, "item": thought},
        {"type": "error", "message": "overloaded"},
    ]
    reply = execute_stream(whole + more, registry)
    assert "overloaded" in reply.cut and reply.results[0].success
    assert [item["type"] for item in reply.message] == ["function_call", "message"]
    assert reply.message[1]["content"][0]["text"] == "Let me"


@pytest.mark.parametrize("index", [0, 7])
def test_a_last_event_with_a_call_that_was_never_streamed(index, registry):
    """Some proxies send it alone, or number the items otherwise; each call runs once."""
    items = [
        {"type": "function_call", "call_id": f"c{n}", "name": "echo", "arguments": f'{{"x": {n}}}'}
        for n in range(2)
    ]
    events = [
        {"type": "response.output_item.done", "output_index": index, "item": items[0]},
        {"type": "response.completed", "response": {"status": "completed", "output": items}},
    ]
    reply = execute_stream(events, registry)
    assert [result.output for result in reply.results] == [{"x": 0}, {"x": 1}]
    assert reply.message == items


@pytest.mark.parametrize("has_item_ids", [True, False])
def test_two_responses_calls_with_one_id_are_two(has_item_ids, registry):
    """Items are told apart by their index, and by their own id where the index is always 0."""
    events = list(responses_events([("echo", ['{"x": 1}']), ("echo", ['{"x": 2}'])]))
    text = json.dumps(events).replace('"call_id": "id1"', '"call_id": "id0"')
    if has_item_ids:
        text = text.replace('"output_index": 1', '"output_index": 0')
    else:
        text = re.sub(r'"(item_)?id": "fc_\d"', '"and": "no more"', text)
    with pytest.warns(UserWarning, match="mended"):
        reply = execute_stream(json.loads(text), registry)
    assert [result.output for result in reply.results] == [{"x": 1}, {"x": 2}]
    assert [item["arguments"] for item in reply.message] == ['{"x": 1}', '{"x": 2}']


def test_bedrocks_words_and_thoughts_go_back(registry):
    deltas = [
        (0, {"reasoningContent": {"text": "Hm"}}),
        (0, {"reasoningContent": {"text": "."}}),
        (0, {"reasoningContent": {"signature": "sig"}}),
        (1, {"text": "Let "}),
        (1, {"text": "me."}),
    ]
    events = [{"contentBlockDelta": {"delta": d, "contentBlockIndex": n}} for n, d in deltas]
    reply = execute_stream([*events, {"messageStop": {"stopReason": "end_turn"}}], registry)
    assert reply.message["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
        {"text": "Let me."},
    ]
    assert reply.cut is None


def test_bedrocks_exceptions_are_a_cut(registry):
    events = list(bedrock_events([("echo", ["{}"])]))[:4]
    reply = execute_stream([*events, {"throttlingException": {"message": "slow down"}}], registry)
    assert "slow down" in reply.cut and reply.results[0].success


# Streams that aren't


async def async_chunks():
    yield END


@pytest.mark.parametrize(
    "stream",
    [None, 5, 2.5, object(), "words", b"data: {}", {"choices": []}, async_chunks()],
    ids=lambda stream: type(stream).__name__,
)
def test_what_can_not_be_a_stream_raises_at_once(stream, registry):
    with pytest.raises(TypeError, match="Chat Completions chunks, events of Responses"):
        execute_stream(stream, registry)


@pytest.mark.parametrize(
    "first",
    [None, 5, "data: {}", [], {}, {"type": "chunk"}, {"message": {"content": "Ollama's"}},
     {"candidates": []}, {"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}],
    ids=str,
)  # fmt: skip
def test_a_first_chunk_of_no_known_kind_raises(first, registry):
    """It isn't taken for a reply without calls."""
    with pytest.raises(UnreadableReplyError, match="Chat Completions chunks, events of Responses"):
        execute_stream([first, END], registry)


def test_an_empty_stream_is_a_cut(registry):
    reply = execute_stream([], registry)
    assert reply.results == [] and "ended before" in reply.cut


MALFORMED = {
    "openai": [
        None, 5, "text", [], {"choices": 5}, {"choices": [None]}, {"choices": [{"delta": "ok"}]},
        chunk(None), chunk(5), chunk({"index": 1, "function": "ok"}), chunk(delta("1", "b", "echo")),
        chunk(delta([], "b", "echo")), chunk(delta(True, "b", "echo")), chunk(delta(1, "b", 7)),
        chunk(delta(1, "b", "echo", 7)), chunk(delta({}, "b", "echo")), chunk(content={"a": 1}),
        {"choices": [{"delta": {"tool_calls": {"0": 1}}}]},
    ],
    "anthropic": [
        None, 5, {"type": 5}, {"type": "content_block_start", "index": 9},
        {"type": "content_block_start", "index": "9", "content_block": {"type": "tool_use"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use"}},
        {"type": "content_block_start", "index": 9, "content_block": {"type": "tool_use", "name": 7}},
        {"type": "content_block_start", "index": 9, "content_block": {"type": "tool_use", "input": 7}},
        {"type": "content_block_delta", "index": 0, "delta": 5},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": 5}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": {}}},
        {"type": "message_delta", "delta": "end"},
    ],
    "bedrock": [
        None, 5, {"contentBlockStart": 5}, {"contentBlockDelta": {"delta": 5}},
        {"contentBlockDelta": {"contentBlockIndex": "0", "delta": {}}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"toolUse": 5}}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"toolUse": {"input": 5}}}},
        {"contentBlockStart": {"contentBlockIndex": 0, "start": {"toolUse": {}}}},
        {"messageStop": "now"},
    ],
    "openai-responses": [
        None, 5, {"type": 5}, {"type": "response.output_item.added", "output_index": "x", "item": {}},
        {"type": "response.output_item.added", "output_index": 1, "item": 5},
        {"type": "response.output_item.done", "output_index": 1, "item": {"type": "function_call", "name": 5}},
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": 5},
        {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": 5},
        {"type": "response.output_text.delta", "output_index": 0, "delta": {}},
        {"type": "response.completed", "response": 5},
        {"type": "response.completed", "response": {"output": 5}},
        {"type": "response.output_item.done", "output_index": 0, "item": {"type": "message"}},
        {"type": "response.output_item.done", "output_index": 0, "item": {"id": "fc_0", "type": 5}},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        pytest.param(kind, bad, id=f"{kind} {bad!s:.60}")
        for kind in STREAMS
        for bad in MALFORMED[kind]
    ],
)
def test_a_malformed_chunk_is_a_cut_that_loses_no_result(kind, bad, paying):
    registry, paid = paying
    make, _ = STREAMS[kind]
    events = list(make([("echo", ['{"x": 1}']), ("pay", ["{}"])]))
    whole = next(n for n, event in enumerate(events) if "1}" in json.dumps(event)) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        reply = execute_stream([*events[:whole], bad, *events[whole:]], registry)
    assert reply.cut and not paid
    first = reply.results[0]
    assert first.output == {"x": 1} or "it ran with {'x': 1}" in str(first.error)
    assert len(asked(reply.message, kind)) == len(reply.results)


@pytest.mark.parametrize(
    "parts",
    [
        lambda n: [delta(i, "one", "echo", f'{{"x": {i}}}') for i in range(n)],
        lambda n: [delta(i, None, "echo", f'{{"x": {i}}}') for i in range(n)],
        lambda n: [delta(None, f"c{i}", "echo", f'{{"x": {i}}}') for i in range(n)],
        lambda n: [delta(0, "c", "echo"), *(delta(0, f"c{i}", None, "[") for i in range(n))],
    ],
    ids=["one id", "no ids", "own ids, no index", "one call in many pieces"],
)
def test_the_work_for_a_stream_grows_as_the_stream(parts, registry):
    """Counted in calls of Python's and of C's functions, with a finish_reason on each chunk."""

    def work(n):
        counted = 0

        def count(frame, event, argument):
            nonlocal counted
            counted += event in ("call", "c_call")

        incoming = IncomingReply(registry)
        chunks = [chunk(part, finish="tool_calls", content="x") for part in parts(n)]
        sys.setprofile(count)
        try:
            for each in chunks:
                for partial in incoming.take(each):
                    incoming.tool_call(partial)
            incoming.end()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                incoming.message()
        finally:
            sys.setprofile(None)
        return counted

    few, many = work(100), work(800)
    assert many < 10 * few


@every_stream
@pytest.mark.parametrize("needs", [{}, {"writes": "inbox"}], ids=["anything", "writes"])
def test_each_call_of_a_stream_takes_as_many_steps_as_the_first(kind, needs, registry):
    """Counted in steps of the interpreter, which see what is listed or sorted once more."""
    registry.register(lambda x: x, name="one", **needs)
    make, _ = STREAMS[kind]

    def steps(n):
        counted = 0

        def count(frame, event, argument):
            nonlocal counted
            frame.f_trace_opcodes = True
            counted += event == "opcode"
            return count

        incoming = IncomingReply(registry)
        before = sys.gettrace()
        sys.settrace(count)
        try:
            for each in make([("one", [f'{{"x": {i}}}']) for i in range(n)]):
                for partial in incoming.take(each):
                    incoming.tool_call(partial)
        finally:
            sys.settrace(before)
        assert len(incoming.calls) == n
        return counted

    assert steps(160) < 10 * steps(20)


# Any reply, cut anywhere

ARGUMENTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=2)
SOME_CALLS = st.lists(
    st.tuples(st.sampled_from(["echo", "pay"]), ARGUMENTS), min_size=1, max_size=4
)
JUNK = st.sampled_from([None, 5, "ok", {}, {"choices": [None]}, {"type": 1}, {"error": "no"}]) | st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["a", "id0", "pay", "{}", "tool_use"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                "choices delta tool_calls function name arguments index id type content item response "
                "output output_index content_block partial_json contentBlockDelta toolUse".split()
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)  # fmt: skip


def texts(data, calls):
    return [(name, pieces(data, json.dumps(arguments))) for name, arguments in calls]


@every_stream
@given(calls=SOME_CALLS, data=st.data())
def test_a_reply_cut_anywhere_never_pays(kind, calls, data):
    """By a limit within the arguments, by an end, an exception or junk after any chunk."""
    make, reason = STREAMS[kind]
    paid = []
    registry = ToolRegistry()
    registry.register(lambda **given: given, name="echo", schema={"type": "object"})
    registry.register(lambda **given: paid.append(given), name="pay", schema={"type": "object"},
                      idempotent=False)  # fmt: skip
    how = data.draw(st.sampled_from(["whole", "limit", "end", "raise", "junk"]))
    sent = texts(data, calls)
    if how == "limit":
        name, whole = sent[-1]
        text = "".join(whole)
        sent[-1] = (name, [text[: data.draw(st.integers(0, len(text)))]])
    events = list(make(sent, reason) if how == "limit" else make(sent))
    place = data.draw(st.integers(1, len(events)))
    if how == "end":
        events = events[:place]
    elif how == "raise":
        events = broken_after(*events[:place])
    elif how == "junk":
        events.insert(place, data.draw(JUNK))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        reply = execute_stream(events, registry)
    assert reply.cut is None or not paid
    if how in ("limit", "raise"):
        assert reply.cut
    if how in ("whole", "limit", "end", "raise"):
        assert [result.call.id for result in reply.results] == [
            f"id{n}" for n in range(len(reply.results))
        ]
    if how == "whole":
        assert reply.cut is None and len(reply.results) == len(calls)
        assert [result.call.arguments for result in reply.results] == [given for _, given in calls]
        assert len(paid) == sum(name == "pay" for name, _ in calls)
    messages = asked(reply.message, kind)
    assert [id for id, _, _ in messages] == [result.call.id for result in reply.results]
    if kind == "openai" and reply.results:
        assert accepted(reply)


def fields_of(value, path=()):
    """The paths to all that stands in an event."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in items:
        yield (*path, key)
        if isinstance(part, dict | list):
            yield from fields_of(part, (*path, key))


@every_stream
@given(data=st.data())
def test_junk_in_any_field_of_any_event_loses_no_result(kind, data):
    """The first call ran before; whatever comes of the others, each has its answer.

    Where the reply's last event says the first anew, and says it otherwise, its answer tells so.
    """
    registry = ToolRegistry()
    registry.register(lambda **given: given, name="echo", schema={"type": "object"})
    make, _ = STREAMS[kind]
    events = json.loads(json.dumps(list(make([("echo", ['{"x": 1}']) for _ in range(3)]))))
    whole = next(n for n, event in enumerate(events) if "1}" in json.dumps(event)) + 1
    event = data.draw(st.sampled_from(events[whole:]))
    *above, last = data.draw(st.sampled_from(list(fields_of(event))))
    for key in above:
        event = event[key]
    event[last] = data.draw(JUNK)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        reply = execute_stream(events, registry)
    first = reply.results[0]
    assert first.output == {"x": 1} or "it ran with {'x': 1}" in str(first.error)
    assert len(asked(reply.message, kind)) == len(reply.results)


@given(chunks=st.lists(JUNK, max_size=4), data=st.data())
def test_any_junk_is_a_reply_or_a_documented_error(chunks, data):
    """UnreadableReplyError where the first chunk is of no known kind, else what came of it."""
    registry = ToolRegistry()
    registry.register(lambda **given: given, name="echo", schema={"type": "object"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            reply = execute_stream(chunks, registry)
        except UnreadableReplyError:
            return
    assert all(result.error or result.success for result in reply.results)


@every_stream
@given(calls=SOME_CALLS, data=st.data())
def test_the_whole_reply_that_was_cut_never_hands_on_its_last_call(kind, calls, data):
    """The reply that the same stream makes, read whole: its calls say it is cut, its last can't run."""
    make, reason = STREAMS[kind]
    sent = texts(data, calls)
    name, whole = sent[-1]
    text = "".join(whole)
    sent[-1] = (name, [text[: data.draw(st.integers(0, len(text)))]])
    form = None
    for event in make(sent, reason):
        form = form or stream_format(event)
        form.feed(event)
    changes = {
        "openai": {"choices": [form.reply().get("choices", [{}])[0] | {"finish_reason": reason}]},
        "anthropic": {"stop_reason": reason},
        "bedrock": {"stopReason": reason},
        "openai-responses": {"status": "incomplete"},
    }[kind]
    read = extract_parallel_calls(form.reply() | changes)
    assert [call.name for call in read] == [name for name, _ in calls]
    assert all(call.cut for call in read) and read[-1].problem


def test_the_examples_say_the_truth():
    """With the real client, the scripted provider and tools of its own."""
    registry = CityTools(now="2026-11-23T14:05+01:00").registry()
    client, model = connect()
    messages = [{"role": "user", "content": "What's the time in Paris?"}]
    given = {"registry": registry, "client": client, "model": model, "messages": messages}
    given["format_parallel_results"] = format_parallel_results
    with client:
        modules = [ptc.stream, ptc.wire.deltas, ptc.wire.incoming]
        tried = [doctest.testmod(module, extraglobs=given) for module in modules]
    assert [one.failed for one in tried] == [0, 0, 0]
    assert all(one.attempted for one in tried)
    check_request({"messages": messages})
