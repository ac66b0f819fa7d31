"""The further notebook on models as the environment names them, each a server on this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import nbformat
import pytest

from ptc.provider import ScriptedProvider
from ptc.workbook import build

KEY = "sk-hunter2-0123456789"
NOTEBOOK = build.TOP / "notebooks" / "further" / "streams_and_real_models.ipynb"

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
