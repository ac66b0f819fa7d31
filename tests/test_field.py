"""What other runners were reported for: each reply, tool and result that went wrong somewhere."""

import asyncio
import contextlib
import copy
import functools
import http.server
import io
import json
import random
import socket
import sqlite3
import threading
import urllib.error
import urllib.request
import warnings
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import httpx2
import numpy as np
import openai
import pandas as pd
import pytest
import requests
from common import AT_ONCE, execute_awaited
from hypothesis import given
from hypothesis import strategies as st

from ptc import (
    RetryPolicy,
    ToolCall,
    ToolRegistry,
    aio,
    execute_parallel,
    execute_sequential,
    execute_with_retry,
    extract_parallel_calls,
    format_parallel_results,
)
from ptc.stream import execute_stream
from ptc.wire import assistant_message

pytestmark = pytest.mark.filterwarnings("ignore:mended in the model.s message")


def pooled(calls, registry, **options):
    with ThreadPoolExecutor(2) as pool:
        return execute_parallel(calls, registry, executor=pool, **options)


DOORS = {
    "parallel": execute_parallel,
    "sequential": execute_sequential,
    "awaited": execute_awaited,
    "another pool": pooled,
}


@pytest.fixture(params=DOORS)
def execute(request):
    return DOORS[request.param]


def calls_of(name, *arguments):
    return [ToolCall(f"{name}-{n}", name, each) for n, each in enumerate(arguments)]


# --- one reply in every wire format, whole, and streamed where it can be


def openai_reply(*calls, finish="tool_calls"):
    made = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id, name, arguments in calls
    ]
    message = {"role": "assistant", "content": None, "tool_calls": made}
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def responses_reply(*calls, finish="completed"):
    output = [
        {"type": "function_call", "id": f"fc_{id}", "call_id": id, "name": n, "arguments": a}
        for id, n, a in calls
    ]
    return {"object": "response", "status": finish, "output": output}


def anthropic_reply(*calls, finish="tool_use"):
    content = [
        {"type": "tool_use", "id": id, "name": name, "input": json.loads(a or "{}")}
        for id, name, a in calls
    ]
    return {"type": "message", "role": "assistant", "content": content, "stop_reason": finish}


def bedrock_reply(*calls, finish="tool_use"):
    content = [
        {"toolUse": {"toolUseId": id, "name": name, "input": json.loads(a or "{}")}}
        for id, name, a in calls
    ]
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": finish}


def gemini_reply(*calls, finish="STOP"):
    parts = [
        {"functionCall": {"id": id, "name": name, "args": json.loads(a or "{}")}}
        for id, name, a in calls
    ]
    content = {"role": "model", "parts": parts}
    return {"candidates": [{"content": content, "finishReason": finish}]}


def ollama_reply(*calls, finish="stop"):
    made = [{"function": {"name": n, "arguments": json.loads(a or "{}")}} for _, n, a in calls]
    message = {"role": "assistant", "content": "", "tool_calls": made}
    return {"model": "m", "message": message, "done": True, "done_reason": finish}


REPLIES = {
    "openai": (openai_reply, "length"),
    "openai-responses": (responses_reply, "incomplete"),
    "anthropic": (anthropic_reply, "max_tokens"),
    "bedrock": (bedrock_reply, "max_tokens"),
    "gemini": (gemini_reply, "MAX_TOKENS"),
    "ollama": (ollama_reply, "length"),
}


def delta(index=None, id=None, name=None, arguments=None):
    function = {"name": name, "arguments": arguments}
    return {
        "index": index,
        "id": id,
        "function": {key: value for key, value in function.items() if value is not None},
    }


def chunk(*deltas, finish=None):
    return {
        "choices": [{"index": 0, "delta": {"tool_calls": list(deltas)}, "finish_reason": finish}]
    }


def stream_awaited(chunks, registry):
    async def run():
        async def feed():
            for each in chunks:
                yield each

        return await aio.execute_stream(feed(), registry)

    return asyncio.run(run())


@pytest.fixture(params=[execute_stream, stream_awaited], ids=["plain", "awaited"])
def stream(request):
    return request.param


@pytest.fixture
def paying(registry):
    """A registry, and what was paid: once is too often here."""
    paid = []

    @registry.tool(idempotent=False)
    def pay(n: int = 0) -> str:
        paid.append(n)
        return "paid"

    registry.register(lambda x=0: x, name="look", schema={})
    return registry, paid


# --- a cut reply pays


@pytest.mark.parametrize("wire", REPLIES)
@pytest.mark.parametrize("arguments", ["", "{}", '{"n": 1}'])
def test_a_whole_reply_that_was_cut_does_not_pay(wire, arguments, paying, execute):
    registry, paid = paying
    make, finish = REPLIES[wire]
    calls = extract_parallel_calls(make(("a", "pay", arguments), finish=finish))
    results = execute(calls, registry)
    assert not paid and not results[0].attempts
    assert "cut off" in results[0].error and finish.lower() in results[0].error.lower()
    assert format_parallel_results(results, wire)


@pytest.mark.parametrize("wire", REPLIES)
def test_of_a_cut_reply_an_earlier_call_runs_if_it_may_run_in_vain(wire, paying, execute):
    registry, paid = paying
    make, finish = REPLIES[wire]
    asked = [("a", "look", "{}"), ("b", "pay", '{"n": 1}'), ("c", "look", "{}")]
    results = execute(extract_parallel_calls(make(*asked, finish=finish)), registry)
    assert [result.success for result in results] == [True, False, False] and not paid


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_a_stream_that_was_cut_does_not_pay(finish, paying, stream):
    registry, paid = paying
    chunks = [chunk(delta(0, "a", "pay", "")), chunk(finish=finish)]
    reply = stream(chunks, registry)
    assert not paid and finish in reply.cut
    assert finish in reply.results[0].error and not reply.results[0].attempts


# --- async tools share what belongs to a loop


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b'{"ok": true}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("execute", [execute_parallel, execute_sequential, pooled])
def test_one_async_client_serves_all_batches(registry, site, library, execute):
    """Its connections belong to the loop on which they were opened."""
    client = library.AsyncClient(trust_env=False)

    @registry.tool
    async def get() -> bool:
        return (await client.get(site)).json()["ok"]

    registry.register(client.aclose, name="close")
    results = [r for _ in range(4) for r in execute(calls_of("get", {}, {}, {}), registry)]
    assert execute(calls_of("close", {}), registry)[0].success
    assert [result.output for result in results] == [True] * 12, results[0].error


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_one_async_client_serves_all_awaited_batches(registry, site, library):
    async def run():
        async with library.AsyncClient(trust_env=False) as client:

            @registry.tool
            async def get() -> bool:
                return (await client.get(site)).json()["ok"]

            calls = calls_of("get", {}, {}, {})
            return [r for _ in range(4) for r in await aio.execute_parallel(calls, registry)]

    assert [result.output for result in asyncio.run(run())] == [True] * 12


@pytest.mark.parametrize("make", [asyncio.Lock, asyncio.Condition, asyncio.Semaphore])
@pytest.mark.parametrize("execute", [execute_parallel, execute_sequential, pooled])
def test_one_async_lock_serves_all_calls(registry, make, execute):
    lock = make()

    @registry.tool
    async def guarded() -> int:
        async with lock:
            await asyncio.sleep(0)
            return 1

    for _ in range(2):
        results = execute(calls_of("guarded", {}, {}, {}), registry, timeout=10)
        assert [result.output for result in results] == [1, 1, 1]


# --- streams with habits


@pytest.mark.parametrize(
    "deltas",
    [
        [delta(0, "a", "echo", '{"x": 1}'), delta(0, None, "echo", "")],
        [delta(0, "a", "echo", '{"x": 1}'), delta(0, "a", "echo", "")],
        [delta(None, "a", "echo", '{"x": 1}'), delta(None, "a", "echo", "")],
        [delta(0, "a", "echo", '{"x"'), delta(0, None, "echo", ": 1}"), delta(0, None, "echo", "")],
        [delta(0, "a", "echo", "{}"), delta(0, None, None, '{"x": 1}')],
        [delta(0, "a", "echo", "{}"), delta(0, "a", "echo", '{"x": 1}')],
        [delta(0, "a", "echo", '{"x": 1}'), delta(0, "a", "echo", '{"x": 1}')],
    ],
)
def test_one_call_stays_one(registry, stream, deltas):
    """A name with each delta; an empty object, and then the arguments; all of it once more."""
    ran = []
    registry.register(lambda **x: ran.append(x) or x, name="echo", idempotent=False)
    reply = stream([*map(chunk, deltas), chunk(finish="tool_calls")], registry)
    assert [result.output for result in reply.results] == [{"x": 1}], reply.results
    assert ran == [{"x": 1}]


@pytest.mark.parametrize("early", ["tool_calls", "stop"])
def test_a_finish_reason_before_the_last_piece(registry, stream, early):
    registry.register(lambda city: city, name="echo", idempotent=False)
    chunks = [
        chunk(delta(0, "a", "echo", '{"ci')),
        chunk(finish=early),
        chunk(delta(0, None, None, 'ty": "Oslo"}')),
        chunk(finish="stop"),
    ]
    assert [result.output for result in stream(chunks, registry).results] == ["Oslo"]


def test_two_calls_without_arguments_and_ids_at_one_index(registry, stream):
    registry.register(lambda: "now", name="now")
    registry.register(lambda: "city", name="city")
    deltas = [delta(0, None, "now"), delta(0, None, "city")]
    reply = stream([*map(chunk, deltas), chunk(finish="tool_calls")], registry)
    assert [result.output for result in reply.results] == ["now", "city"]


@pytest.mark.parametrize("bad", [None, 5, "text", {"choices": []}, iter([{"a": 1}])])
def test_what_is_no_stream_raises(registry, bad):
    with pytest.raises((TypeError, ValueError)):
        execute_stream(bad, registry)


def test_an_async_generator_is_no_plain_stream(registry):
    async def chunks():
        yield {}

    with pytest.raises(TypeError, match="async"):
        execute_stream(chunks(), registry)
    with pytest.raises(TypeError, match="async"):
        asyncio.run(aio.execute_stream(iter([]), registry))


# --- outputs are what they were


def test_one_list_that_grows_is_told_as_it_was(registry, execute):
    kept = []

    @registry.tool(max_concurrency=1)
    def add(n: int) -> list:
        kept.append(n)
        return kept

    results = execute(calls_of("add", {"n": 1}, {"n": 2}), registry)
    assert sorted(result.content for result in results) in (["[1, 2]", "[1]"], ["[1, 2]", "[2]"])
    assert sorted(len(result.output) for result in results) == [1, 2]


@pytest.mark.parametrize("make", [iter, map, zip])
def test_iterators_are_read_when_the_call_ends(registry, execute, make):
    sources = {
        iter: lambda: iter([5, 6]),
        map: lambda: map((10).__floordiv__, [1, 0, 2]),
        zip: lambda: zip([1, 2], "ab", strict=True),
    }
    registry.register(sources[make], name="source")
    heard = []
    results = execute(
        calls_of("source", {}), registry, on_result=lambda r: heard.append(list(r.output or []))
    )
    if make is map:
        assert not results[0].success and "ZeroDivisionError" in results[0].error
    else:
        told = [5, 6] if make is iter else [[1, "a"], [2, "b"]]
        assert json.loads(results[0].content) == told and len(heard[0]) == 2


def endless():
    while True:
        yield 1


async def endless_too():
    while True:
        yield 1
        await asyncio.sleep(0)


@pytest.mark.parametrize("tool", [endless, endless_too, lambda: map(str, endless())])
def test_an_endless_iterator_ends_at_its_timeout(registry, execute, tool):
    registry.register(tool, name="endless", timeout=0.1)
    results = execute(calls_of("endless", {}), registry)
    assert "0.1 s" in results[0].error


async def items():
    for n in range(3):
        await asyncio.sleep(0)
        yield n


@contextlib.contextmanager
def entered():
    yield 1


@pytest.mark.parametrize(
    "tool",
    [lambda: Future(), lambda: entered(), lambda: io.BytesIO(b"a"), lambda: threading.Lock(),
     lambda: socket.socket(), lambda: lambda: 1, lambda: [Future()], lambda: {"a": entered()}],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_tells_nothing_is_an_error(registry, execute, tool):
    registry.register(tool, name="odd")
    result = execute(calls_of("odd", {}), registry)[0]
    assert not result.success and " object at 0x" not in result.content
    assert "which tells a model nothing" in result.error


def test_an_async_generator_gives_its_items(registry, execute):
    registry.register(items)
    assert execute(calls_of("items", {}), registry)[0].output == [0, 1, 2]


# --- arguments are the model's


def test_a_second_attempt_sees_what_the_model_sent(registry, execute):
    seen = []

    @registry.tool
    def take(items: list, deep: dict) -> int:
        seen.append(copy.deepcopy((items, deep)))
        items.pop()
        deep["inner"]["new"] = 1
        if len(seen) == 1:
            raise ConnectionError("lost")
        return 1

    sent = {"items": [1, 2], "deep": {"inner": {}}}
    call = ToolCall("a", "take", copy.deepcopy(sent))
    result = execute([call], registry, retry=AT_ONCE)[0]
    assert result.success and seen == [([1, 2], {"inner": {}})] * 2
    assert call.arguments == sent and result.call.arguments == sent


@pytest.mark.parametrize("wire", REPLIES)
@pytest.mark.parametrize("schema", [None, {"type": "object"}])
def test_what_a_tool_does_to_its_arguments_is_not_in_the_history(registry, wire, schema):
    @registry.tool(schema=schema)
    def change(deep: dict) -> int:
        deep["inner"]["new"] = 1
        return 1

    reply = REPLIES[wire][0](("a", "change", '{"deep": {"inner": {}}}'))
    before = copy.deepcopy(reply)
    calls = extract_parallel_calls(reply)
    assert execute_parallel(calls, registry)[0].success
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert "new" not in json.dumps(assistant_message(reply, calls))
    assert reply == before


# --- partial


def transfer(amount: int, account: str) -> str:
    return f"{amount} from {account}"


class Connection:
    pass


def query(sql: str, connection: Connection) -> str:
    return f"{sql} on {type(connection).__name__}"


def test_what_a_partial_has_bound_is_not_the_models(registry, execute):
    registry.register(functools.partial(transfer, account="alice"), name="transfer")
    registry.register(functools.partial(query, connection=Connection()), name="query")
    assert set(registry.get_schema("transfer")["properties"]) == {"amount"}
    assert set(registry.get_schema("query")["properties"]) == {"sql"}
    calls = [
        ToolCall("a", "transfer", {"amount": 1}),
        ToolCall("b", "transfer", {"amount": 1, "account": "bob"}),
        ToolCall("c", "query", {"sql": "x"}),
    ]
    good, refused, bound = execute(calls, registry)
    assert good.output == "1 from alice" and bound.output == "x on Connection"
    assert not refused.success and "account" in refused.error and not refused.attempts


# --- groups of exceptions, and the usual clients' lost connections


def refused_port():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return closed.getsockname()[1]


def ask_requests():
    with requests.Session() as session:
        session.trust_env = False
        session.get(f"http://127.0.0.1:{refused_port()}")


def ask_httpx():
    httpx.get(f"http://127.0.0.1:{refused_port()}", trust_env=False)


def ask_httpx2():
    httpx2.get(f"http://127.0.0.1:{refused_port()}", trust_env=False)


def ask_urllib():
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(f"http://127.0.0.1:{refused_port()}")


def ask_openai():
    address = f"http://127.0.0.1:{refused_port()}/v1"
    direct = openai.DefaultHttpxClient(trust_env=False)
    with openai.OpenAI(base_url=address, api_key="x", max_retries=0, http_client=direct) as client:
        client.models.list()


def ask_socket():
    socket.create_connection(("127.0.0.1", refused_port()))


def look_up():
    raise socket.gaierror(-2, "Name or service not known")


def as_class(module, *names):
    """An exception of a package that may not be here, known by its name alone."""
    kind = Exception
    for name in names:
        kind = type(name, (kind,), {"__module__": module})

    def fail():
        raise kind("lost")

    return fail


LOST = {
    "requests": ask_requests, "httpx": ask_httpx, "httpx2": ask_httpx2, "urllib": ask_urllib,
    "openai": ask_openai, "socket": ask_socket, "gaierror": look_up,
    "aiohttp": as_class("aiohttp.client_exceptions", "ClientConnectionError", "ClientOSError"),
    "redis": as_class("redis.exceptions", "ConnectionError"),
    "botocore": as_class("botocore.exceptions", "EndpointConnectionError"),
    "websockets": as_class("websockets.exceptions", "ConnectionClosed", "ConnectionClosedError"),
}  # fmt: skip


@pytest.mark.parametrize("client", LOST)
def test_a_lost_connection_is_tried_again_and_told_as_one(registry, execute, client):
    registry.register(LOST[client], name="ask")
    result = execute(calls_of("ask", {}), registry, retry=AT_ONCE)[0]
    assert len(result.attempts) == 3 and "all 3 attempts failed" in result.error
    assert "correct the arguments" not in result.error
    once = execute(calls_of("ask", {}), registry, retry=RetryPolicy(attempts=1))[0]
    assert len(once.attempts) == 1 and "ask again later" in once.error


@pytest.mark.parametrize("client", LOST)
def test_a_lost_connection_in_a_group_too(registry, execute, client):
    @registry.tool
    async def ask_all() -> int:
        async def ask():
            LOST[client]()

        async with asyncio.TaskGroup() as group:
            group.create_task(ask())
            group.create_task(ask())
        return 1

    result = execute(calls_of("ask_all", {}), registry, retry=AT_ONCE)[0]
    assert len(result.attempts) == 3 and "sub-exception" not in result.error


def test_a_group_with_another_error_in_it_is_told_and_not_tried_again(registry, execute):
    @registry.tool
    async def both() -> int:
        async def one():
            raise ConnectionError("lost")

        async def other():
            raise ValueError("wrong city")

        async with asyncio.TaskGroup() as group:
            group.create_task(one())
            group.create_task(other())
        return 1

    result = execute(calls_of("both", {}), registry, retry=AT_ONCE)[0]
    assert len(result.attempts) == 1
    assert "wrong city" in result.error and "lost" in result.error


def test_an_answer_that_says_no_is_not_a_lost_connection(registry, execute):
    @registry.tool
    def status() -> int:
        raise urllib.error.HTTPError("http://x", 404, "Not Found", None, None)

    assert len(execute(calls_of("status", {}), registry, retry=AT_ONCE)[0].attempts) == 1


# --- null, numbers, schemas, ids, empty messages


@pytest.mark.parametrize("sent", ["null", "", " ", "{}", None])
def test_null_is_no_arguments(registry, execute, sent):
    registry.register(lambda: 1, name="one")
    reply = openai_reply(("a", "one", sent))
    calls = extract_parallel_calls(reply)
    assert execute(calls, registry)[0].output == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        kept = assistant_message(reply, calls)["tool_calls"][0]["function"]["arguments"]
    assert kept == "{}"


def test_null_is_no_arguments_in_a_stream(registry, stream):
    registry.register(lambda: 1, name="one")
    reply = stream([chunk(delta(0, "a", "one", "null")), chunk(finish="tool_calls")], registry)
    assert [result.output for result in reply.results] == [1]


TABLE = pd.DataFrame({"n": range(100), "t": ["a"] * 100})


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: np.int64(5), 5), (lambda: np.bool_(True), True), (lambda: np.float32(0.5), 0.5),
        (lambda: np.arange(2000), list(range(2000))),
        (lambda: {"a": [np.int64(1), np.arange(2)]}, {"a": [1, [0, 1]]}),
        (lambda: TABLE, [{"n": n, "t": "a"} for n in range(100)]),
        (lambda: TABLE["n"], list(range(100))),
    ],
)  # fmt: skip
def test_numbers_are_numbers_and_tables_go_whole(registry, execute, made, told):
    registry.register(made, name="made")
    result = execute(calls_of("made", {}), registry)[0]
    assert json.loads(result.content) == told


@pytest.mark.parametrize(
    "made", [lambda: np.zeros((1000, 1000)), lambda: pd.DataFrame(np.zeros((1000, 1000)))]
)
def test_what_is_too_large_says_how_large(registry, execute, made):
    registry.register(made, name="made")
    result = execute(calls_of("made", {}), registry)[0]
    assert not result.success and "1,000,000 values" in result.error


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": "object", "properties": None}])
@pytest.mark.parametrize("wire", REPLIES)
def test_a_schema_without_properties_has_them_on_the_wire(registry, schema, wire):
    registry.register(lambda **rest: 1, name="bare", schema=schema)
    sent = json.dumps(registry.to_wire(wire))
    assert '"properties": {}' in sent and '"type": "object"' in sent


@pytest.mark.parametrize("id", ["a" * 9, "b" * 40, "", None])
@pytest.mark.parametrize("wire", ["openai", "openai-responses", "anthropic", "bedrock"])
def test_ids_that_we_make_fit_everywhere(id, wire):
    first, second = extract_parallel_calls(
        REPLIES[wire][0]((id, "one", '{"n": 1}'), (id, "one", '{"n": 2}'))
    )
    assert first.id != second.id and (first.id == id or not id)
    assert len(second.id) == 9 and second.id.isalnum() and second.id.isascii()


@pytest.mark.parametrize(
    "reply",
    [
        {"choices": [{"message": None}]},
        {"choices": [{}]},
        {"message": None},
        {"output": {"message": None}},
    ],
)
def test_an_empty_message_is_not_a_reply_without_calls(reply):
    with pytest.raises(ValueError):
        extract_parallel_calls(reply)


@pytest.mark.parametrize("wire", REPLIES)
def test_one_call_twice_runs_once_where_ids_say_so(paying, wire):
    """Ollama has no ids: there, what is asked twice is wanted twice."""
    registry, paid = paying
    reply = REPLIES[wire][0](("a", "pay", '{"n": 1}'), ("a", "pay", '{"n": 1}'))
    results = execute_parallel(extract_parallel_calls(reply), registry)
    assert len(results) == 2 and len(paid) == (2 if wire == "ollama" else 1)


def test_rest_is_checked_item_by_item(registry, execute):
    @registry.tool
    def add(**rest: int) -> int:
        return sum(rest.values())

    good, bad = execute(calls_of("add", {"a": 1, "b": 2}, {"a": "x"}), registry)
    assert good.output == 3 and "'x'" in bad.error


def test_the_wires_schema_is_a_copy(registry):
    registry.register(transfer)
    registry.to_wire()[0]["function"]["parameters"]["properties"].clear()
    assert registry.get_schema("transfer")["properties"]


def test_a_plain_tool_has_no_loop_whatever_ran_before(registry, execute):
    """``asyncio.get_event_loop()`` gives the same in each: none is left behind by an async one."""

    @registry.tool
    async def later() -> int:
        return 1

    @registry.tool
    def loop() -> str:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return "none"
        return "one"

    calls = [ToolCall(str(n), name) for n, name in enumerate(["loop", "later", "loop"] * 3)]
    told = [result.output for result in execute(calls, registry)]
    assert told == ["none", 1, "none"] * 3


def test_sqlite_says_what_to_do(registry, execute):
    connection = sqlite3.connect(":memory:")
    registry.register(lambda: connection.execute("select 1").fetchall(), name="ask")
    error = execute(calls_of("ask", {}), registry)[0].error
    assert "check_same_thread=False" in error and "correct the arguments" not in error
    connection.close()


# --- for any value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def spoil(value, chance):
    """Change the value in place, somewhere."""
    inner = [
        v
        for v in (value.values() if isinstance(value, dict) else value)
        if isinstance(v, list | dict)
    ]
    if inner and chance.random() < 0.7:
        spoil(chance.choice(inner), chance)
    elif isinstance(value, dict):
        value["new"] = 1
    else:
        value.append("new")


@given(
    st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=3), VALUES, max_size=3),
    st.integers(0, 9),
)
def test_content_is_the_same_before_and_after_the_object_is_changed(value, seed):
    registry, before = ToolRegistry(), json.dumps(value)
    registry.register(lambda: value, name="give")
    for run in (execute_parallel, execute_sequential):
        result = run(calls_of("give", {}), registry)[0]
        was = result.content
        spoil(value, random.Random(seed))
        assert result.content == was
        after = json.dumps(value)
        assert json.loads(was) == json.loads(before)
        before = after


@given(st.data())
def test_of_no_reply_cut_at_any_point_anything_runs_that_pays(data):
    """The text of any reply's stream, cut anywhere, and closed in whichever way."""
    registry, paid = ToolRegistry(), []
    registry.register(lambda **a: paid.append(a), name="pay", idempotent=False, schema={})
    registry.register(lambda **a: 1, name="look", schema={})
    asked = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(["pay", "look"]),
                st.dictionaries(st.text(max_size=3), VALUES, max_size=2),
            ),
            min_size=1,
            max_size=4,
        )
    )
    chunks = []
    for index, (name, arguments) in enumerate(asked):
        text = json.dumps(arguments)
        cut = data.draw(st.integers(0, len(text)))
        chunks += [
            chunk(delta(index, f"c{index}", name, text[:cut])),
            chunk(delta(index, None, None, text[cut:])),
        ]
    kept = data.draw(st.integers(0, len(chunks)))
    end = data.draw(
        st.sampled_from([[], [chunk(finish="length")], [chunk(finish="content_filter")], [None]])
    )
    reply = execute_stream([*chunks[:kept], *end], registry) if kept else None
    assert not paid
    assert reply is None or reply.cut


def test_one_call_by_itself_too(registry):
    registry.register(look_up)
    assert len(execute_with_retry(ToolCall("a", "look_up"), registry, AT_ONCE).attempts) == 3
