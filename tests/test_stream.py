"""Calls that start while the reply still streams in."""

import json
import os
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import anthropic.types
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptc import RetryPolicy, ToolRegistry, answer, extract_parallel_calls, format_parallel_results
from ptc.provider import ScriptedProvider, call
from ptc.provider.refusals import check_request
from ptc.stream import execute_stream
from ptc.tools import CityTools
from ptc.wire.deltas import JsonScanner

PATIENCE = int(os.environ.get("PTC_PATIENCE", 10))


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
    wanted = [call(name, arguments, id=f"id{n}") for n, (name, arguments) in enumerate(batch)]
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
