"""Tools of MCP servers: over stdio, over HTTP and in this process; and what servers do wrong."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest
from common import PATIENCE, awaited, calls_of, comes_true
from mcp import StdioServerParameters, types
from mcp.server import Server
from mcp_server import make_server

import ptc.mcp
from ptc import (
    RetryPolicy,
    ToolCall,
    ToolRegistry,
    aio,
    check_parallel_completeness,
    execute_parallel,
    format_parallel_results,
)
from ptc.mcp import Connection, ServerStartError, session
from ptc.provider import ScriptedProvider, tool_call
from ptc.stream import execute_stream

HERE = Path(__file__).parent
OURS = [str(HERE / "mcp_server.py")]
TIME = ["-m", "mcp_server_time", "--local-timezone=UTC"]
FILES = "@modelcontextprotocol/server-filesystem@2026.8.31"


def command(args):
    return StdioServerParameters(command=sys.executable, args=args)


@contextmanager
def over_stdio():
    yield command([*OURS, "stdio"])


@contextmanager
def over_http():
    start = [sys.executable, *OURS, "http"]
    with subprocess.Popen(start, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/mcp"
        finally:
            process.kill()


@contextmanager
def in_process():
    yield make_server()


everywhere = pytest.mark.parametrize("transport", [over_stdio, over_http, in_process])
as_processes = pytest.mark.parametrize("transport", [over_stdio, over_http])


@pytest.fixture
def server():
    return make_server()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(session, "START_SECONDS", 0.5)
    monkeypatch.setattr(session, "BLOCKED_SECONDS", 0.2)


def outputs(results):
    assert [result.error for result in results] == [None] * len(results)
    return [result.output for result in results]


# Tools of a server, as any others


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_is_not_asked_for_a_server_on_this_machine(registry, monkeypatch, name, host):
    """It couldn't reach it, and many classrooms name one."""
    with over_http() as address:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        with Connection(address.replace("127.0.0.1", host)) as connection:
            assert connection.register(registry)


@everywhere
def test_a_batch_on_a_server_is_answered_call_by_call(registry, transport):
    """Results in request order; arguments checked here; what the server calls an error is one."""
    with transport() as server, Connection(server) as connection:
        names = connection.register(registry, trust_hints=True)
        assert set(names) == set(registry)
        calls = calls_of(
            ("add", {"a": 2, "b": 3}),
            ("shout", {"text": "hi", "self": "me", "name": "x"}),
            ("add", {"a": "two"}),
            ("fail", {"why": "the printer is on fire"}),
            ("no_such_tool", {}),
        )
        results = execute_parallel(calls, registry)
    assert [result.call for result in results] == calls
    assert results[0].output == "5"
    assert results[1].output == {"text": "HI", "self": "me", "name": "x"}
    assert "'b' is a required property" in results[2].error
    assert "the printer is on fire; correct the arguments" in results[3].error
    assert "no tool named 'no_such_tool'" in results[4].error
    assert format_parallel_results(results)[0]["content"] == '"5"'


@everywhere
@awaited
async def test_awaited_on_the_callers_own_loop(registry, transport):
    with transport() as server:
        async with Connection(server) as connection:
            connection.register(registry, trust_hints=True)
            three = calls_of(*[("meet", {"count": 3})] * 3)
            results = await aio.execute_parallel(three, registry)
    assert outputs(results) == [{"result": "3 met"}] * 3


@everywhere
@awaited
async def test_awaited_while_the_connection_lives_on_the_processs_loop(registry, transport):
    """A call crosses from the caller's loop to that of the connection."""
    with transport() as server:
        connection = await asyncio.to_thread(Connection(server).__enter__)
        connection.register(registry, trust_hints=True)
        three = calls_of(*[("meet", {"count": 3})] * 3)
        results = await aio.execute_parallel(three, registry)
        await asyncio.to_thread(connection.__exit__)
    assert outputs(results) == [{"result": "3 met"}] * 3


def test_plain_batches_use_a_connection_of_another_threads_loop(registry, server):
    """The loop is free, as long as the batch runs in another thread than its own."""

    async def live():
        async with Connection(server) as connection:
            connection.register(registry)
            calls = calls_of(("add", {"a": 1, "b": 1}), ("add", {"a": 2, "b": 2}))
            return await asyncio.to_thread(execute_parallel, calls, registry)

    assert outputs(asyncio.run(live())) == ["2", "4"]


def test_a_batch_that_blocks_the_connections_own_loop_is_told_so(registry, server, impatient):
    """Without that it would wait for itself for ever."""

    async def live():
        async with Connection(server) as connection:
            connection.register(registry)
            (result,) = execute_parallel(calls_of(("write", {"item": "x"})), registry)
            (journal,) = await aio.execute_parallel(calls_of("read_journal"), registry)
            return result.error, journal.output

    error, journal = asyncio.run(live())
    assert "is blocked: await ptc.aio.execute_parallel there" in error
    assert journal == {"result": []}  # what was answered with an error doesn't run later


def test_a_model_is_given_the_servers_own_schema_and_description(registry, server):
    with Connection(server) as connection:
        connection.register(registry)
    (tool,) = (each for each in registry.to_wire() if each["function"]["name"] == "add")
    assert tool["function"]["description"] == "The sum, as a text."
    assert tool["function"]["parameters"]["required"] == ["a", "b"]


def test_a_stream_starts_a_servers_tools(registry, server):
    adds = [tool_call("add", {"a": 1, "b": 2}), tool_call("add", {"a": 3, "b": 4})]
    turn = {"content": None, "tool_calls": adds}
    with (
        ScriptedProvider([turn, {"content": "done"}]) as provider,
        openai.OpenAI(base_url=provider.base_url, api_key="none") as client,
        Connection(server) as connection,
    ):
        connection.register(registry)
        chunks = client.chat.completions.create(
            model="scripted", messages=[{"role": "user", "content": "add"}], stream=True
        )
        reply = execute_stream(chunks, registry)
    assert outputs(reply.results) == ["3", "7"]


# What may run together, and what may be repeated


@everywhere
def test_untrusted_calls_run_one_at_a_time_in_request_order(registry, transport):
    """Whatever a server says, and with workers to spare."""
    with transport() as server, Connection(server) as connection:
        connection.register(registry)
        items = [f"item {n}" for n in range(4)]
        writes = calls_of(*[("write", {"item": item}) for item in items], "read_journal")
        *_, last = execute_parallel(writes, registry, max_workers=8)
    expected = [f"{item} {what}" for item in items for what in ("begins", "ends")]
    assert last.output == {"result": expected}


def test_what_the_specification_assumes_unless_a_hint_is_trusted(registry, server):
    def options(tool):
        return tool.idempotent, tool.reads is not None, tool.writes is not None

    with Connection(server) as connection:
        untrusted = connection.register(registry)
        assert {options(registry[name]) for name in untrusted} == {(False, False, True)}
        connection.register(registry, prefix="t_", trust_hints=True)
    assert options(registry["t_read_journal"]) == (True, True, False)
    assert options(registry["t_write"]) == (True, False, True)
    assert options(registry["t_add"]) == (False, False, True)


def test_trusted_writes_wait_for_the_reads_before_them(registry, server):
    with Connection(server) as connection:
        connection.register(registry, trust_hints=True)
        write = ("write", {"item": "x"})
        calls = calls_of("read_journal", write, "read_journal", write, "read_journal")
        before, _, between, _, after = outputs(execute_parallel(calls, registry, max_workers=8))
    once = ["x begins", "x ends"]
    assert [each["result"] for each in (before, between, after)] == [[], once, 2 * once]


def test_two_connections_to_one_command_share_its_resource():
    same, other = command(["server.py"]), command(["other.py"])
    first, again = (ptc.mcp.servers.resource_of(each) for each in (same, same))
    assert first == again != ptc.mcp.servers.resource_of(other)


def test_a_failed_call_is_repeated_only_where_a_trusted_hint_allows(registry):
    tries = []

    async def flaky(context, params):
        tries.append(params.name)
        raise ConnectionError("no line")

    tools = [tool("once"), tool("again", annotations=types.ToolAnnotations(idempotent_hint=True))]
    policy = RetryPolicy(on=(ptc.mcp.ServerError,), attempts=2, wait_initial=0, wait_jitter=0)
    with Connection(low_level(tools, flaky)) as connection:
        connection.register(registry, trust_hints=True)
        execute_parallel(calls_of("once", "again"), registry, retry=policy)
    assert sorted(tries) == ["again", "again", "once"]


# What comes back


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("picture", "look:\n[image, image/png, 2,048 bytes]"),
        ("sound", "[audio, audio/wav, 1,000 bytes]"),
        (
            "files",
            "[link, file:///log, text/plain, 12,345 bytes]\n"
            "[file, file:///note.txt, text/plain]\nhello\n[file, file:///a.bin, 3 bytes]",
        ),
        ("both", [{"birds": 3}, "[image, image/png, 3 bytes]"]),
        ("nothing", ""),
    ],
)
def test_other_content_is_told_by_kind_type_and_size(registry, server, name, expected):
    with Connection(server) as connection:
        connection.register(registry)
        assert outputs(execute_parallel(calls_of(name), registry)) == [expected]


# What servers do wrong


@everywhere
@pytest.mark.parametrize("door", ["plain", "awaited"])
def test_giving_a_call_up_cancels_its_work_on_the_server(registry, transport, door, tmp_path):
    file = tmp_path / "state"
    with transport() as server, Connection(server) as connection:
        connection.register(registry, timeout=PATIENCE)
        connection.register(registry, prefix="quick_", timeout=0.5)
        calls = calls_of(("quick_hang", {"file": str(file)}))
        if door == "plain":
            (result,) = execute_parallel(calls, registry)
        else:
            (result,) = asyncio.run(aio.execute_parallel(calls, registry))
        assert "no answer within" in result.error
        assert comes_true(lambda: file.exists() and file.read_text() == "cancelled")
        more = execute_parallel(calls_of(("add", {"a": 1, "b": 2})), registry)
    assert outputs(more) == ["3"]


@awaited
async def test_cancelling_the_await_cancels_the_work_on_the_server(registry, tmp_path):
    file = tmp_path / "state"
    with over_stdio() as server:
        async with Connection(server) as connection:
            connection.register(registry)
            calls = calls_of(("hang", {"file": str(file)}))
            batch = asyncio.create_task(aio.execute_parallel(calls, registry))
            assert await asyncio.to_thread(comes_true, file.exists)
            batch.cancel()
            with pytest.raises(asyncio.CancelledError):
                await batch
            assert await asyncio.to_thread(comes_true, lambda: file.read_text() == "cancelled")


@as_processes
def test_a_server_that_dies_leaves_an_answer_for_each_open_call(registry, transport, tmp_path):
    files = [tmp_path / name for name in ("one", "two")]
    with transport() as server, Connection(server) as connection:
        connection.register(registry)
        # Registered by hand they touch nothing, so that three calls are open at once.
        hanging = [("hang", {"file": str(file)}) for file in files]
        dying = ("die_when_there", {"files": [str(file) for file in files]})
        alone = {name: registry[name] for name in ("hang", "die_when_there")}
        together = ToolRegistry()
        for name, each in alone.items():
            together.register(each.fn, name=name, schema=each.schema, idempotent=False)
        calls = calls_of(*hanging, dying)
        results = execute_parallel(calls, together, timeout=PATIENCE)
        assert check_parallel_completeness(results, calls).answered
        for result in results:
            assert "the server 'stranger' " in result.error
            assert "the call may have taken effect, go on without the tools" in result.error
        (later,) = execute_parallel(calls_of(("add", {"a": 1, "b": 2})), registry, timeout=PATIENCE)
        assert later.error.endswith("is gone; go on without the tools of this server")


def test_a_closed_connection_answers_at_once(registry, server):
    with Connection(server) as connection:
        connection.register(registry)
    (result,) = execute_parallel(calls_of(("add", {"a": 1, "b": 2})), registry)
    assert result.error == (
        "ConnectionEndedError: the connection to the server 'stranger' is closed; "
        "go on without the tools of this server"
    )
    with pytest.raises(RuntimeError, match="is closed"):
        connection.register(registry)


@everywhere
def test_leaving_ends_the_calls_that_are_open(registry, transport, tmp_path):
    file = tmp_path / "state"
    results = []
    with transport() as server:
        with Connection(server) as connection:
            connection.register(registry)
            calls = calls_of(("hang", {"file": str(file)}))
            work = lambda: results.extend(execute_parallel(calls, registry))  # noqa: E731
            run = threading.Thread(target=work, daemon=True)
            run.start()
            assert comes_true(file.exists)
        run.join(PATIENCE)
    assert "is closed; the call may have taken effect" in results[0].error


@everywhere
def test_a_servers_bug_is_told_without_its_insides(registry, transport):
    with transport() as server, Connection(server) as connection:
        connection.register(registry)
        (result,) = execute_parallel(calls_of("crash"), registry)
    assert not result.success and "ServerError: " in result.error
    assert "Traceback" not in result.error


@everywhere
def test_a_server_that_changes_its_list(registry, transport):
    """A tool that is gone is an error of that call; register() again takes the new list."""
    with transport() as server, Connection(server) as connection:
        first = connection.register(registry)
        outputs(execute_parallel(calls_of("grow"), registry))
        (gone,) = execute_parallel(calls_of(("add", {"a": 1, "b": 2})), registry)
        assert "Unknown tool: add" in gone.error
        again = connection.register(registry)
        assert set(again) - set(first) == {"newcomer"} and set(first) - set(again) == {"add"}
        results = execute_parallel(calls_of("newcomer"), registry)
        assert results[0].success


@pytest.mark.parametrize(
    ("server", "told"),
    [
        (
            StdioServerParameters(command="no-such-command", args=["--now"]),
            "the server 'no-such-command --now' can't be started: FileNotFoundError",
        ),
        (
            command(["-c", "raise SystemExit('no licence')"]),
            "can't be started: MCPError: Connection closed. "
            "The last line that it wrote: no licence",
        ),
        (
            command(["-c", "import time; print('hello', flush=True); time.sleep(99)"]),
            "has said nothing for 0.5 s",
        ),
        ("http://127.0.0.1:1/mcp", "the server 'http://127.0.0.1:1/mcp' can't be started: "),
    ],
    ids=["no command", "ends at once", "silent", "no port"],
)
def test_a_server_that_does_not_start_is_named(server, told, monkeypatch):
    monkeypatch.setattr(session, "START_SECONDS", 0.5 if "for 0.5 s" in told else PATIENCE)
    with pytest.raises(ServerStartError) as plain, Connection(server):
        pass
    assert told in str(plain.value) and "TaskGroup" not in str(plain.value)

    async def enter():
        async with Connection(server):
            pass

    with pytest.raises(ServerStartError) as awaited:
        asyncio.run(enter())
    assert told in str(awaited.value)


def test_a_server_that_cannot_be_started_leaves_no_process(impatient, tmp_path):
    file = tmp_path / "pid"
    script = f"import os, time; open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(99)"
    with pytest.raises(ServerStartError), Connection(command(["-c", script])):
        pass
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)


def test_what_a_server_writes_to_its_standard_error_is_kept(registry, capfd):
    script = f"import sys; sys.stderr.write('hello there\\n'); sys.argv[1:] = ['stdio']; exec(open({OURS[0]!r}).read())"
    with Connection(command(["-c", script])) as connection:
        assert "hello there" in connection.log()
    assert "hello there" in connection.log()
    assert "hello there" not in capfd.readouterr().err


def test_two_servers_with_one_tool_name_want_a_prefix(registry):
    with Connection(make_server("north")) as north, Connection(make_server("south")) as south:
        north.register(registry)
        with pytest.raises(ValueError, match=r"'read_journal' .* 'north'.* 'south' with a prefix="):
            south.register(registry)
        names = south.register(registry, prefix="south_")
        assert names[0] == "south_read_journal"
        calls = calls_of(("write", {"item": "n"}), ("south_write", {"item": "s"}))
        outputs(execute_parallel(calls, registry))
        journals = execute_parallel(calls_of("read_journal", "south_read_journal"), registry)
    found = [journal["result"][0] for journal in outputs(journals)]
    assert found == ["n begins", "s begins"]


def test_a_name_of_ones_own_is_not_taken_by_a_server(registry, server):
    """And nothing is registered by halves."""

    @registry.tool
    def write(item: str) -> str:
        return "mine"

    with Connection(server) as connection, pytest.raises(ValueError, match="prefix="):
        connection.register(registry)
    assert list(registry) == ["write"]


def test_registered_again_a_server_replaces_its_own_tools(registry, server):
    """As when a notebook's cell is run a second time: with the same connection, or a new one."""
    with Connection(server) as connection:
        assert connection.register(registry) == connection.register(registry)
    with Connection(make_server()) as connection:
        connection.register(registry)
        assert outputs(execute_parallel(calls_of(("add", {"a": 1, "b": 1})), registry)) == ["2"]


def tool(name, schema=None, **more):
    return types.Tool(name=name, input_schema=schema or {"type": "object"}, **more)


def low_level(tools, on_call=None, page=100):
    """A server of whatever tools, listed in pages."""

    async def list_tools(context, params):
        start = int(params.cursor) if params and params.cursor else 0
        more = str(start + page) if start + page < len(tools) else None
        return types.ListToolsResult(tools=tools[start : start + page], next_cursor=more)

    async def answer(context, params):
        text = f"{params.name} {params.arguments}"
        return types.CallToolResult(content=[types.TextContent(text=text)])

    return Server("strange", on_list_tools=list_tools, on_call_tool=on_call or answer)


def test_all_pages_of_a_list_are_read(registry):
    tools = [tool(f"tool_{n}") for n in range(25)]
    with Connection(low_level(tools, page=10)) as connection:
        assert connection.register(registry) == [each.name for each in tools]


def test_a_list_without_an_end_ends(registry):
    async def same_page(context, params):
        return types.ListToolsResult(tools=[tool("same")], next_cursor="more")

    with Connection(Server("endless", on_list_tools=same_page)) as connection:
        assert connection.register(registry) == ["same", "same_2"]


def test_names_that_providers_refuse_are_mended(registry):
    names = ["files.read", "files/read", "x" * 80, "ä"]
    with Connection(low_level([tool(name) for name in names])) as connection:
        registered = connection.register(registry)
        results = execute_parallel(calls_of(*registered), registry)
    assert registered == ["files_read", "files_read_2", "x" * 64, "_"]
    assert outputs(results) == [f"{name} {{}}" for name in names]


HOSTILE = {"type": "string", "pattern": r"^(a+)+$"}
EVIL = "a" * 40 + "!"


def test_a_pattern_that_backtracks_for_ever_does_not_stop_us(registry):
    """In the schema of what goes in, and of what comes out."""

    async def answer(context, params):
        content = [types.TextContent(text="evil")]
        return types.CallToolResult(content=content, structured_content={"word": EVIL})

    properties = {"type": "object", "properties": {"word": HOSTILE}}
    tools = [tool("into", properties), tool("out", output_schema=properties)]
    with Connection(low_level(tools, answer)) as connection:
        connection.register(registry)
        calls = calls_of(("into", {"word": EVIL}), "out", ("into", {"word": "aaa"}))
        into, out, fine = execute_parallel(calls, registry, timeout=PATIENCE)
    assert "can't be checked" in into.error or "does not match" in into.error
    assert out.output == fine.output == {"word": EVIL}


def test_a_tool_with_an_unusable_schema_is_left_out_the_others_stay(registry):
    tools = [tool("good"), tool("bad", {"type": "object", "properties": {"x": {"type": "objet"}}})]
    left_out = pytest.warns(UserWarning, match="'bad' of the server 'strange' is left out: .*objet")
    with Connection(low_level(tools)) as connection, left_out:
        assert connection.register(registry) == ["good"]


def test_a_server_that_asks_back_is_told_to_be_of_no_use(registry):
    async def ask(context, params):
        request = types.ElicitRequest(
            params=types.ElicitRequestFormParams(message="Sure?", requested_schema={})
        )
        return types.InputRequiredResult(input_requests={"sure": request}, request_state="x")

    with Connection(low_level([tool("pay")], ask)) as connection:
        connection.register(registry)
        (result,) = execute_parallel(calls_of("pay"), registry, timeout=PATIENCE)
    assert "go on without it" in result.error


# What the programmer gets wrong


def test_a_connection_is_entered_before_it_is_used(registry, server):
    connection = Connection(server)
    with pytest.raises(RuntimeError, match="enter it with `with` or `async with`"):
        connection.register(registry)
    with connection, pytest.raises(RuntimeError, match="is open already"), connection:
        pass
    with connection:  # and may be entered again
        connection.register(registry)


def test_a_timeout_that_is_none_raises_and_registers_nothing(registry, server):
    with Connection(server) as connection, pytest.raises(ValueError, match="timeout=-1"):
        connection.register(registry, timeout=-1)
    assert not len(registry)


def test_an_async_tool_cannot_wait_for_its_own_loop(registry, server):
    @registry.tool
    async def nested() -> str:
        with Connection(server):
            return "never"

    (result,) = execute_parallel(calls_of("nested"), registry, timeout=PATIENCE)
    assert "use `async with`" in result.error


def test_without_the_sdk_one_sentence_says_what_to_install():
    code = "import sys; sys.modules['mcp'] = None; import ptc.mcp; ptc.mcp.Connection('x')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr.splitlines()[-1] == (
        "ImportError: ptc.mcp needs the MCP SDK, version 2, which is installed with: "
        'pip install "mcp>=2,<3"'
    )


def test_importing_the_room_does_not_import_the_sdk():
    code = "import sys, ptc.mcp; print('mcp' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_an_interrupt_while_a_server_starts_ends_it(tmp_path):
    """Ctrl-C in `with Connection(…)`: it comes through, and no process is left."""
    file = tmp_path / "pid"
    server = f"import os, time; open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(99)"
    code = f"""
import _thread, pathlib, sys, threading, time
from mcp import StdioServerParameters
from ptc.mcp import Connection
file = pathlib.Path({str(file)!r})
def interrupt():
    while not file.exists() or not file.read_text():
        time.sleep(0.01)
    import os, signal
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    with Connection(StdioServerParameters(command=sys.executable, args=["-c", {server!r}])):
        pass
except KeyboardInterrupt:
    print("interrupted")
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=3 * PATIENCE
    )
    assert run.stdout == "interrupted\n", run.stderr
    pid = int(file.read_text())

    def is_gone():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    assert comes_true(is_gone)


# Public servers


def test_the_public_time_server_answers_and_its_hints_say_that_it_only_reads(registry):
    with Connection(command(TIME)) as connection:
        assert connection.register(registry, trust_hints=True) == [
            "get_current_time",
            "convert_time",
        ]
        assert registry["convert_time"].idempotent and registry["convert_time"].reads is not None
        zones = ["Asia/Kolkata", "Asia/Tokyo", "America/Sao_Paulo"]
        noon = {"source_timezone": "UTC", "time": "12:00"}
        calls = calls_of(*[("convert_time", {**noon, "target_timezone": zone}) for zone in zones])
        bad = ToolCall("bad", "get_current_time", {"timezone": "Mars/Olympus"})
        *good, failed = execute_parallel([*calls, bad], registry)
    found = [each["target"]["datetime"][11:] for each in outputs(good)]
    assert found == ["17:30:00+05:30", "21:00:00+09:00", "09:00:00-03:00"]
    assert "Mars/Olympus" in failed.error and "correct the arguments" in failed.error


@pytest.fixture(scope="module")
def file_server(tmp_path_factory):
    """The command of the public filesystem server, from npm; a skip where it can't be had."""
    if shutil.which("npm") is None:
        pytest.skip("the public filesystem server needs node and npm")
    home = tmp_path_factory.mktemp("npm")
    install = ["npm", "install", "--prefix", str(home), "--no-audit", "--no-fund", FILES]
    try:
        made = subprocess.run(install, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("npm has not installed the public filesystem server within 120 s")
    if made.returncode:
        pytest.skip(f"npm can't install the public filesystem server: {made.stderr[-200:]}")
    return str(home / "node_modules" / ".bin" / "mcp-server-filesystem")


@pytest.mark.parametrize("trust_hints", [False, True])
def test_two_edits_of_one_file_in_one_batch_none_lost(registry, file_server, tmp_path, trust_hints):
    """Each edit reads the file, changes it and writes it back: together they'd lose one."""
    file = tmp_path / "list.txt"
    lines = [f"line {n}" for n in range(8)]
    file.write_text("\n".join(lines))
    server = StdioServerParameters(command=file_server, args=[str(tmp_path)])
    edits = [
        ("edit_file", {"path": str(file), "edits": [{"oldText": line, "newText": line.upper()}]})
        for line in lines
    ]
    with Connection(server) as connection:
        connection.register(registry, trust_hints=trust_hints)
        read = ("read_text_file", {"path": str(file)})
        *done, last = execute_parallel(calls_of(*edits, read), registry, max_workers=9)
    assert all(result.success for result in done), done
    assert file.read_text() == "\n".join(lines).upper()
    assert last.output["content"] == file.read_text()
