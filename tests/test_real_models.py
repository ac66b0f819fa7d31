"""Models as the environment names them, each a server on this machine: small ones, a notebook's."""

import ast
import contextlib
import io
import json
import re
import sys
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import openai
import pytest

from ptc import answer, connect
from ptc.client import http_client
from ptc.client.failures import ModelError
from ptc.lab import tools as lab_tools
from ptc.provider import SMALL_MODELS, ScriptedProvider, SmallModels
from ptc.provider.refusals import check_request
from ptc.tools import CityTools, city
from ptc.workbook import build, environment

KEY = "sk-hunter2-0123456789"
NOTEBOOK = build.TOP / "notebooks" / "further" / "streams_and_real_models.ipynb"

QUESTION = "What's the time, the date and the weather in Paris?"


# --- small models


@pytest.fixture(scope="module")
def small_models():
    with SmallModels(slow=0.3) as provider:
        yield provider


@pytest.fixture
def ask(small_models, monkeypatch):
    """Asks a small model as the environment names it; its answer, and what it was sent."""

    def ask(model, **options):
        for name, value in small_models.environment(model).items():
            monkeypatch.setenv(name, value)
        before = len(small_models.requests)
        client, name = connect()
        registry = CityTools(now="2026-11-23T13:05:00+00:00").registry()
        with client, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            outcome = answer(QUESTION, registry, client, model=name, **options)
            # A strict provider takes the history, and the conversation can go on from there.
            going_on = [*outcome.messages, {"role": "user", "content": "And in Lima?"}]
            tools = registry.to_wire()
            client.chat.completions.create(model=name, messages=going_on, tools=tools)
        check_request({"model": name, "messages": going_on, "tools": tools})
        return outcome, small_models.requests[before:]

    return ask


TIME, DATE = "The time in Paris is 14:05 (UTC+1).", "The date in Paris is Monday, 23 November 2026."
SUN = "The weather in Paris is 9.4 °C, light rain, wind 14.0 km/h."
ALL = [TIME, DATE, SUN]
EXPECTED = {  # the sentences of the answer, and how many calls each turn has
    "words": (["It is 10 o’clock there, and the sun shines."], [0]),
    "one-a-turn": (ALL, [1, 1, 1, 0]),
    "parallel-anyway": (ALL, [3, 0]),
    "repeats": ([*ALL, SUN], [4, 0]),
    "asks-again": ([*ALL, TIME], [3, 1, 0]),
    "never-ends": ([], [1] * 8),
    "empty-content": (ALL, [3, 0]),
    "no-words": ([], [3, 0]),
    "long-ids": (ALL, [3, 0]),
    "brace-first": (ALL, [3, 0]),
    "broken-arguments": (None, [3, 1, 0]),
    "wrong-name": (None, [3, 1, 0]),
    "slow": (ALL, [3, 0]),
    "small": ([*ALL, SUN, TIME], [4, 1, 0]),
}


def test_every_small_model_is_tried():
    assert EXPECTED.keys() == SMALL_MODELS.keys()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", SMALL_MODELS)
def test_answer_bears_a_small_model(model, stream, ask):
    """It ends, each call is answered, and what the model said is what the reader gets."""
    outcome, _ = ask(model, stream=stream)
    sentences, counts = EXPECTED[model]
    assert [len(turn.results) for turn in outcome.turns] == counts
    if sentences is None:  # what it got wrong was told, and it asked again
        assert all(sentence in outcome.text for sentence in ALL)
        assert any(not result.success for result in outcome.turns[0].results)
    else:
        assert outcome.text == " ".join(sentences)
    assert (outcome.stopped is None) == bool(outcome.text)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_ids_of_thirty_two_characters_go_back_as_they_came(stream, ask):
    outcome, _ = ask("long-ids", stream=stream)
    sent = [call["id"] for call in outcome.messages[1]["tool_calls"]]
    assert [len(id) for id in sent] == [32] * 3
    assert [m["tool_call_id"] for m in outcome.messages if m["role"] == "tool"] == sent


def test_a_slow_model_takes_its_time(ask):
    outcome, _ = ask("slow")
    assert all(turn.model_seconds >= 0.3 for turn in outcome.turns)


@pytest.mark.parametrize(
    ("model", "asked"), [("parallel-anyway", 3), ("small", 4), ("long-ids", 1), ("words", 0)]
)
def test_some_ask_for_several_calls_where_one_is_allowed(model, asked, small_models):
    client = openai.OpenAI(
        base_url=small_models.base_url, api_key="x", http_client=http_client(small_models.base_url)
    )
    with client:
        reply = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": QUESTION}],
            tools=CityTools().registry().to_wire(),
            parallel_tool_calls=False,
        )
    assert len(reply.choices[0].message.tool_calls or []) == asked


def test_a_brace_comes_with_the_name(small_models):
    """Streamed, as llama.cpp's server sends it."""
    client = openai.OpenAI(
        base_url=small_models.base_url, api_key="x", http_client=http_client(small_models.base_url)
    )
    with client:
        chunks = client.chat.completions.create(
            model="brace-first",
            messages=[{"role": "user", "content": "What time is it in Lima?"}],
            tools=CityTools().registry().to_wire(),
            stream=True,
        )
        deltas = [chunk.choices[0].delta for chunk in chunks]
    called = [delta.tool_calls[0].function for delta in deltas if delta.tool_calls]
    assert [(call.name, call.arguments) for call in called] == [
        ("get_time", "{"),
        (None, '"city": "Lima"}'),
    ]


def test_a_model_that_is_not_there_is_told(ask):
    with pytest.raises(ModelError, match="has no model 'large'"):
        ask("large")


def test_the_small_models_are_listed(small_models):
    direct = http_client(small_models.base_url)
    with openai.OpenAI(base_url=small_models.base_url, api_key="x", http_client=direct) as client:
        assert [model.id for model in client.models.list()] == list(SMALL_MODELS)


# --- what check_environment says


@pytest.fixture
def said(monkeypatch, capsys):
    """What is printed with these variables, line by line; it never raises."""
    monkeypatch.setattr(environment, "_is_root", lambda: False)

    def said(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        environment.check_environment()
        lines = capsys.readouterr().out.splitlines()
        assert lines[:2] == ["✓ Python 3.11 or newer", "✓ the packages"]
        return lines[2:]

    return said


def test_without_a_model_of_ones_own_nobody_is_asked(said):
    """These words stand in the first notebook."""
    assert said() == ["model in use: the scripted one, on this machine; no key, no network"]


SEVERAL = "✓ several in one reply: yes"
ONE = "✗ several in one reply: no: the notebooks run with it, and take more turns"
NONE = "✗ tool calls: no: it answered in words; the notebooks want a model that calls tools"


@pytest.mark.parametrize(
    ("model", "can"),
    [
        ("small", ["✓ tool calls: yes", SEVERAL]),
        ("long-ids", ["✓ tool calls: yes", SEVERAL]),
        ("broken-arguments", ["✓ tool calls: yes", SEVERAL]),
        ("wrong-name", ["✓ tool calls: yes", SEVERAL]),
        ("one-a-turn", ["✓ tool calls: yes", ONE]),
        ("words", [NONE]),
    ],
)
def test_a_model_is_asked_one_small_question(model, can, said, small_models):
    """Where it is, what it can do, and how long it takes."""
    before = len(small_models.requests)
    first, took, *rest = said(**small_models.environment(model))
    assert first == f"model in use: {model} at {small_models.base_url}"
    assert re.fullmatch(r"✓ it answers: one small question took \d+\.\d s", took)
    assert rest == can
    assert len(small_models.requests) == before + 1


def test_the_seconds_are_those_of_the_reply(said, small_models):
    _, took, *_ = said(**small_models.environment("slow"))
    assert 0.3 <= float(took.split()[-2]) < 30


def test_a_model_that_cannot_be_asked_is_told_in_one_line(said, small_models):
    """No such model, nobody there, an odd address, no key at all."""
    here = small_models.environment("large")
    assert said(**here)[1].startswith("✗ it was asked one small question: http://127.0.0.1")
    assert "no server answers" in said(OPENAI_BASE_URL="http://127.0.0.1:9/v1")[1]
    for address in ("nonsense", "http://[", "ftp://127.0.0.1/", "http://127.0.0.1:99999999/v1"):
        lines = said(OPENAI_BASE_URL=address)
        assert len(lines) == 2 and lines[1].startswith("✗ it was asked"), lines
    lines = said(OPENAI_BASE_URL="")
    assert lines[0] == "model in use: large" and "needs OPENAI_API_KEY" in lines[1]


def test_a_model_that_never_answers_is_waited_for_a_minute_at_most(said, monkeypatch):
    monkeypatch.setattr(environment, "_LONGEST_WAIT", 0.05)
    with ScriptedProvider(latency=60) as provider:
        lines = said(PTC_MODEL="slow", OPENAI_BASE_URL=provider.base_url)
    assert "did not answer in time" in lines[1]


ODD = {
    "an empty object": {},
    "a list": [],
    "no choices": {"choices": []},
    "no message": {"choices": [{"message": None}]},
    "odd calls": {"choices": [{"message": {"tool_calls": [None, 3, "x"]}}]},
    "a page": "<html>Welcome to the hotel</html>",
    "the key": f"{KEY} is what you sent",
}


@pytest.mark.parametrize("status", [200, 418, 500])
@pytest.mark.parametrize("case", ODD)
def test_whatever_a_server_says_it_is_told(case, status, said):
    """In one line or in four, without a traceback and without a key."""
    body = ODD[case]

    class Odd(Anthropic):
        def do_POST(self):
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            kind = "text/html" if isinstance(body, str) else "application/json"
            for name, value in {"Content-Type": kind, "Content-Length": len(data)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        lines = said(PTC_MODEL="odd", OPENAI_BASE_URL=url, OPENAI_API_KEY=KEY)
        server.shutdown()
    assert lines[0] == f"model in use: odd at {url}"
    assert 2 <= len(lines) <= 4 and KEY not in str(lines)


def test_an_old_python_another_kernel_and_root_are_told_with_the_way_out(monkeypatch, capsys):
    """One sentence each; root is no news in a notebook, whose JupyterLab has started."""
    monkeypatch.setattr(environment, "PACKAGES", ("openai", "no-such-package"))
    monkeypatch.setattr(environment, "_is_root", lambda: True)
    monkeypatch.setattr(environment, "_in_a_notebook", lambda: False)
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    environment.check_environment()
    old, kernel, root, model = capsys.readouterr().out.splitlines()
    assert old.startswith("✗ Python 3.11 or newer: this is ") and "install a newer one" in old
    assert kernel.startswith(
        f"✗ the packages: not installed in this kernel ({sys.executable}): no-"
    )
    assert "run the first command of README.md again" in kernel
    assert root.startswith("✗ an ordinary user: ") and "--allow-root" in root
    assert model.startswith("model in use: the scripted one")
    monkeypatch.setattr(environment, "_in_a_notebook", lambda: True)
    environment.check_environment()
    assert "an ordinary user" not in capsys.readouterr().out


def test_an_output_that_knows_few_characters_is_told_all_the_same(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="")
    monkeypatch.setattr(sys, "stdout", out)
    environment.check_environment()
    out.flush()
    said = out.buffer.getvalue().decode()
    monkeypatch.undo()
    assert "OK Python 3.11 or newer" in said and "OK the packages" in said


# --- the notebooks that promise to run on any model

FIRST = build.TOP / "notebooks" / "00_start_here.ipynb"
LAB = build.TOP / "notebooks" / "09_latency_lab.ipynb"
HASTE = 200  # the tools wait so many times shorter, and so does the model of one second a reply


class Cells(NamedTuple):
    """What each cell printed, by its id; the pictures it showed; and the names they all left."""

    printed: dict[str, str]
    pictures: dict[str, list[Any]]
    names: dict[str, Any]

    def titles(self, id: str) -> list[str]:
        return [figure.axes[0].get_title(loc="left") for figure in self.pictures[id]]


def run_cells(path: Path) -> Cells:
    """Runs a notebook's cells here: a kernel of its own would take longer to start than they do."""
    nb = nbformat.read(path, as_version=4)
    cells = Cells({}, {}, {"__name__": "__main__"})
    for cell in build.code_cells(nb):
        pictures = cells.pictures[cell.id] = []
        cells.names["display"] = lambda shown, pictures=pictures, **_: pictures.append(shown)
        allowed = Exception if "raises-exception" in cell.metadata.get("tags", []) else ()
        body = ast.parse(cell.source).body
        last = [body.pop()] if body and isinstance(body[-1], ast.Expr) else []
        with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(allowed):
            exec(compile(ast.Module(body, []), cell.id, "exec"), cells.names)
            exec(compile(ast.Interactive(last), cell.id, "single"), cells.names)  # it is shown
        cells.printed[cell.id] = printed.getvalue()
    return cells


@pytest.fixture
def run_on_small(monkeypatch):
    """Runs a notebook's cells on a small model, in haste; and what the model was sent."""
    monkeypatch.setattr(city, "sleep", lambda seconds: time.sleep(seconds / HASTE))
    hasty = {lab_tools.WAITS: lambda seconds, stop: stop.wait(seconds / HASTE)}
    monkeypatch.setattr(lab_tools, "_SPEND", lab_tools._SPEND | hasty)
    with SmallModels(slow=10 / HASTE) as provider, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what is mended, and what is never answered

        def run_on_small(path, model):
            for name, value in provider.environment(model).items():
                monkeypatch.setenv(name, value)
            cells = run_cells(path)
            assert {request["model"] for request in provider.requests} == {model}
            return cells

        yield run_on_small


CALLS = {"words": 0, "one-a-turn": 1, "never-ends": 1, "repeats": 4, "small": 4}


@pytest.mark.parametrize("model", SMALL_MODELS)
def test_no_cell_of_the_first_notebook_fails_on_a_small_model(model, run_on_small):
    """No call, one call, a call that fails: each cell still shows something, and counts it."""
    cells = run_on_small(FIRST, model)
    count = CALLS.get(model, 3)
    assert f"{count} calls in this reply:" in cells.printed["reply"]
    assert f"most calls at once: {min(count, 1)} of {count}" in cells.printed["run-sequential"]
    assert cells.printed["messages"].count(" → ") == count
    assert cells.printed["answer"].strip()


@pytest.mark.parametrize("model", SMALL_MODELS)
def test_no_cell_of_the_streams_notebook_fails_on_a_small_model(model, run_on_small):
    """And what is printed and drawn is what came, not what was hoped for."""
    cells = run_on_small(NOTEBOOK, model)
    count = CALLS.get(model, 3)
    assert len(cells.printed["by-index"].splitlines()) == count
    assert ("asked for nothing" in cells.printed["chunks"]) is (count == 0)
    as_hoped = "The workers start while the model speaks"
    ran = count - (model in ("broken-arguments", "wrong-name"))
    other = f"3 calls were hoped for, and {ran} ran"
    assert cells.titles("picture-early") == [as_hoped if ran == 3 else other]
    cut = "it ended before the reply did" if count >= 3 else "no, it began fewer than three calls"
    assert f"cut: {cut}\n" in cells.printed["cut-run"]
    assert f"without an answer: {count}" in cells.printed["interrupt-run"]
    assert ("refused" in cells.printed["interrupt-run"]) is (count > 0)
    assert cells.printed["answer-run"].strip()
    assert len(cells.printed["cost-run"].splitlines()) == 6


@pytest.mark.parametrize("model", ["words", "asks-again", "broken-arguments", "small"])
def test_no_cell_of_the_labs_notebook_fails_on_a_small_model(model, run_on_small):
    """The bars are those of the question; what the model did otherwise stands below them."""
    cells = run_on_small(LAB, model)
    assert "the first to start: get_weather" in cells.printed["lab-14"]
    told = {"words": "answered in words and called nothing", "small": "so the bars are those of"}
    assert told.get(model, "It asked again: 3 turns instead of 2.") in cells.printed["lab-17"]


def test_a_model_that_takes_ten_times_as_long_is_not_cut_off_in_the_pictures(run_on_small):
    """The axes are as long as the longest bar, whatever the notebook's own model takes."""
    cells = run_on_small(NOTEBOOK, "one-a-turn")
    for name in ("waited", "early", "late", "busy"):
        long = [bar._replace(start=bar.start * 1e4, end=bar.end * 1e4) for bar in cells.names[name]]
        cells.names["show"](long, "A slow model")
        shown = cells.pictures["anthropic-live-run"][-1]  # display is still the last cell's
        assert shown.axes[0].get_xlim()[1] >= max(bar.end for bar in long) > 1.6


# --- the further notebook on real models

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
USAGE = {"input_tokens": 1, "output_tokens": 1}
BLOCK = {"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {}}
PIECES = ['{"city": ', '"Paris"}']
EVENTS = [
    {
        "type": "message_start",
        "message": MESSAGE | {"stop_reason": None, "stop_sequence": None, "usage": USAGE},
    },
    {"type": "content_block_start", "index": 0, "content_block": BLOCK},
    *(
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": piece},
        }
        for piece in PIECES
    ),
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": USAGE},
    {"type": "message_stop"},
]


class Anthropic(BaseHTTPRequestHandler):
    """Streams the same reply to whoever asks for messages with tools in Anthropic's form."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/messages" and request["stream"] is True
        assert {"name", "description", "input_schema"} <= request["tools"][0].keys()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for event in EVENTS:
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def anthropic_url():
    with ThreadingHTTPServer(("127.0.0.1", 0), Anthropic) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


@pytest.fixture
def run_on(monkeypatch, anthropic_url):
    """Runs the notebook on a server of this machine; its cells by their ids, and its text."""

    def run_on(provider):
        monkeypatch.setenv("PTC_MODEL", "another")
        monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("PTC_ANTHROPIC_MODEL", "m")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", anthropic_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        nb = build.run(nbformat.read(NOTEBOOK, as_version=4), NOTEBOOK.parent)
        return {cell.id: cell for cell in nb.cells}, build.text_of(nb)

    return run_on


def test_the_same_cells_run_on_the_models_that_the_environment_names(run_on):
    """Another server, another model, other times; no cell fails, and no key is shown."""
    with ScriptedProvider(latency=0.05) as provider:
        cells, text = run_on(provider)
    asked = {request["model"] for request in provider.requests}
    assert asked == {"another"} and any(request.get("stream") for request in provider.requests)
    assert "The weather in Paris is" in printed(cells["answer-run"])
    assert printed(cells["anthropic-live-run"]) == 'get_time "14:05 (UTC+1)"\n'
    assert KEY not in text


def test_no_cell_fails_on_a_model_that_calls_no_tool(run_on):
    """A small one may answer in words where calls were hoped for."""
    words = {"role": "assistant", "content": "It rains."}
    with ScriptedProvider(lambda request: words, latency=0.05) as provider:
        cells, _ = run_on(provider)
    assert printed(cells["answer-run"]) == "It rains.\nmessages: user assistant\n"
