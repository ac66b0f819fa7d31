"""Models as the environment names them, each a server on this machine: small ones, a notebook's."""

import json
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import nbformat
import openai
import pytest

from ptc import answer, connect
from ptc.client import http_client
from ptc.client.failures import ModelError
from ptc.provider import SMALL_MODELS, ScriptedProvider, SmallModels
from ptc.provider.refusals import check_request
from ptc.tools import CityTools
from ptc.workbook import build

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


# --- the notebook

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
