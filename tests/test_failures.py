"""What goes wrong with a real model ends in one sentence, and no key is in it."""

import doctest
import json
import socket
import subprocess
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import pytest

from ptc import ToolRegistry, answer, connect
from ptc.client import http_client, may_use_proxy, proxies
from ptc.client.failures import Client, ModelError
from ptc.lab.real_run import run_for_real
from ptc.lab.settings import Settings
from ptc.lab.tools import Stop
from ptc.provider import ScriptedProvider

KEY = "sk-proj-hunter2-0123456789-hunter2"


def openai_says(message, type="invalid_request_error", code=None):
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


def ollama_says(message):
    return openai_says(message, "api_error")


class Server(ThreadingHTTPServer):
    """Answers every request the same way, as a real server was seen to; counts the requests."""

    daemon_threads = True

    def __init__(self, status, body, headers):
        self.reply, self.asked = (status, body, headers), 0
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        status, body, headers = self.server.reply
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(data), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def serve(monkeypatch):
    """Starts a server and points the variables of a reader to it."""
    opened = []

    def serve(status, body, key=KEY, **headers):
        server = Server(status, body, {k.replace("_", "-"): v for k, v in headers.items()})
        opened.append(server)
        monkeypatch.setenv("PTC_MODEL", "tiny")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", key)
        return server

    yield serve
    for server in opened:
        server.shutdown()
        server.server_close()


@pytest.fixture
def registry():
    registry = ToolRegistry()
    registry.register(lambda: 1, name="one")
    return registry


def told(registry, stream=False):
    """The sentence, when a reader asks; nothing that is shown or kept with it has the key."""
    client, model = connect()
    messages = [{"role": "user", "content": "go"}]
    with client, pytest.raises(ModelError) as caught:
        answer(messages, registry, client, model=model, stream=stream)
    error = caught.value
    shown = "".join(traceback.format_exception(error))
    assert len(shown.splitlines()) < 40 and KEY not in shown and "hunter2" not in shown
    assert error.__cause__ is None and error.__context__ is None  # their request holds the key
    assert "\n" not in str(error) and len(str(error)) < 400
    assert messages == [{"role": "user", "content": "go"}]
    return str(error)


FAILURES = {
    "OpenAI's wrong key": (
        (401, openai_says(f"Incorrect API key provided: {KEY[:12]}*****{KEY[-4:]}. You can find your API key at https://platform.openai.com/account/api-keys.", code="invalid_api_key")),
        "refuses the key; set OPENAI_API_KEY to one that is valid there",
    ),
    "vLLM's wrong key": ((401, {"error": "Unauthorized"}), "refuses the key"),
    "a key that may not": ((403, openai_says("Project does not have access to model `tiny`", code="model_not_found")), "does not let this key use model 'tiny'"),
    "Ollama's model without tools": (
        (400, ollama_says("registry.ollama.ai/library/tiny does not support tools")),
        "model 'tiny' at {url} can't call tools; set PTC_MODEL to one that can",
    ),
    "vLLM without its flags": (
        (400, {"object": "error", "message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', "type": "BadRequestError", "param": None, "code": 400}),
        "start its server with tool calls on",
    ),
    "llama-server without templates": (
        (500, {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}}, {"x_should_retry": "false"}),
        "llama-server: --jinja",
    ),
    "OpenRouter's model without tools": ((404, {"error": {"message": "No endpoints found that support tool use. Try disabling \"one\".", "code": 404}}), "can't call tools"),
    "Ollama's model that isn't pulled": (
        (404, ollama_says('model "tiny" not found, try pulling it first')),
        "{url} has no model 'tiny'; set PTC_MODEL to one that it has (with Ollama, first: ollama pull tiny)",
    ),
    "OpenAI's unknown model": ((404, openai_says("The model `tiny` does not exist or you do not have access to it.", code="model_not_found")), "has no model 'tiny'"),
    "an address without /v1": ((404, "404 page not found"), "an address ending in /v1"),
    "OpenAI's rate limit": (
        (429, openai_says("Rate limit reached for tiny in organization org-x on tokens per min (TPM): Limit 30000, Used 22343, Requested 10955. Please try again in 20s.", "tokens", "rate_limit_exceeded"), {"retry_after": 20}),
        "the rate limit of {url} is reached; wait 20 s, then run this again",
    ),
    "a rate limit without a number": ((429, {"error": "busy"}, {"x_should_retry": "false"}), "wait a minute"),
    "a rate limit until a date": ((429, {"error": "busy"}, {"x_should_retry": "false", "retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}), "wait a minute"),
    "no credit": ((429, openai_says("You exceeded your current quota, please check your plan and billing details.", "insufficient_quota", "insufficient_quota")), "has no credit left; add some, or use a local model"),
    "a server that still loads": ((503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, {"x_should_retry": "false"}), "failed with 503 (Loading model); try again in a moment"),
    "llama-server's history": (
        (500, {"error": {"code": 500, "message": "Failed to parse tool call arguments as JSON: [json.exception.parse_error.101] parse error at line 1, column 2: syntax error while parsing object key - unexpected end of input; expected string literal", "type": "server_error"}}),
        "can't read the arguments of a call in the history (Failed to parse tool call",
    ),
    "a template's history": ((500, {"error": "TypeError: Can only get item pairs from a mapping."}), "as ptc.wire.assistant_message mends them, or begin anew"),
    "a server that tells the key": ((500, f"oops, {KEY}", {"x_should_retry": "false"}), "failed with 500 (oops, ***)"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_failure_is_one_sentence(name, stream, serve, registry):
    (status, body, *headers), words = FAILURES[name]
    server = serve(status, body, **(headers[0] if headers else {}))
    assert words.format(url=server.url) in told(registry, stream)
    assert server.asked == 1  # none of these is better a second later


def test_a_server_that_is_not_there(serve, registry, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("PTC_MODEL", "tiny")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://me:{KEY}@127.0.0.1:{port}/v1?key={KEY}")
    sentence = told(registry)
    assert f"no server answers at http://127.0.0.1:{port}/v1; start it" in sentence


def test_a_server_that_never_answers(registry, monkeypatch):
    with ScriptedProvider(latency=60) as provider:
        client = Client(base_url=provider.base_url, api_key=KEY, timeout=0.05, max_retries=0)
        with client, pytest.raises(ModelError, match="did not answer in time"):
            answer("go", registry, client)


def test_a_short_rate_limit_is_waited_for(serve, registry):
    """Twice, as the client does, and then it is told."""
    server = serve(429, {"error": "busy"}, retry_after=0.01)
    assert "wait 0 s" in told(registry)
    assert server.asked == 3


def test_other_refusals_are_the_clients_own(serve, registry):
    """What a lesson is about, a history that nobody accepts for one, comes through as it is."""
    serve(400, openai_says("messages with role 'tool' must be a response to a preceeding message"))
    client, model = connect()
    with client, pytest.raises(openai.BadRequestError, match="must be a response"):
        answer("go", registry, client, model=model)


def test_a_client_with_other_options_speaks_the_same_way(serve, registry):
    serve(401, {"error": "no"})
    with connect()[0].with_options(max_retries=0) as client, pytest.raises(ModelError):
        client.models.list()


# --- proxies, as many classrooms have them

DEAD = "http://127.0.0.1:9"
PROXIES = {
    "capitals": dict.fromkeys(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"], DEAD),
    "small letters": dict.fromkeys(["http_proxy", "https_proxy", "all_proxy"], DEAD),
    "without a scheme": {"HTTP_PROXY": "127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"},
    "NO_PROXY for others": {"HTTP_PROXY": DEAD, "http_proxy": DEAD, "NO_PROXY": "example.com"},
    "an empty NO_PROXY": {"HTTP_PROXY": DEAD, "ALL_PROXY": DEAD, "NO_PROXY": "", "no_proxy": ""},
    "NO_PROXY for all": {"HTTP_PROXY": DEAD, "NO_PROXY": "*", "no_proxy": "*"},
}


@pytest.fixture(params=PROXIES)
def proxy(request, monkeypatch):
    """An environment that names a proxy at which nobody listens."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in PROXIES[request.param].items():
        monkeypatch.setenv(name, value)


def test_a_proxy_is_not_asked_for_the_scripted_model(proxy):
    client, model = connect(latency=0.001)
    with client:
        assert client.models.list().data[0].id == model


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_proxy_is_not_asked_for_a_server_on_this_machine(
    proxy, host, serve, registry, monkeypatch
):
    """It couldn't reach it, and what it says about that would mislead."""
    server = serve(404, ollama_says("model 'tiny' not found"))
    monkeypatch.setenv("OPENAI_BASE_URL", server.url.replace("127.0.0.1", host))
    assert "ollama pull tiny" in told(registry)


def test_a_proxy_is_not_asked_by_a_client_of_ones_own(proxy):
    """`http_client` is for the constructor of `openai.OpenAI`."""
    with ScriptedProvider() as provider:
        direct = http_client(provider.base_url)
        with openai.OpenAI(base_url=provider.base_url, api_key="x", http_client=direct) as client:
            assert client.models.list().data


def test_a_proxy_is_not_asked_by_the_lab(proxy):
    settings = Settings(time=0.0, date=0.0, weather=0.0, model=0.0)
    assert "The time in Paris" in run_for_real(settings, Stop(), lambda *said: None).answer


def test_a_proxy_is_not_asked_for_the_sample_weather(proxy):
    """In a process of its own: the client reads the environment when it is made."""
    code = "from ptc.tools import get_weather; print(get_weather('Lima')['city'])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("Lima\n", "")


def test_a_proxy_is_asked_for_other_machines(monkeypatch):
    """Where one is needed, all else would fail."""
    with ScriptedProvider() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url)
        monkeypatch.setenv("http_proxy", proxy.base_url)
        client = Client(base_url="http://example.com/v1", api_key="x", max_retries=0)
        with client, pytest.raises((ModelError, openai.APIStatusError)) as refused:
            client.models.list()
    assert "no server answers" not in str(refused.value)  # the proxy has


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("http://127.0.0.1:8000/v1", False),
        ("http://127.1.2.3/v1", False),
        ("http://LOCALHOST:1", False),
        ("http://localhost.:1", False),
        ("http://[::1]:8000/v1", False),
        ("http://127.0.0.1.example.com", True),
        ("http://localhost.example.com", True),
        ("http://127.0.0.1@example.com/", True),
        ("https://api.openai.com/v1", True),
        ("http://[broken", True),
        ("", True),
    ],
)
def test_which_addresses_a_proxy_may_be_asked_for(url, may):
    assert may_use_proxy(url) is may


def test_the_examples_in_the_docstrings_hold():
    found = doctest.testmod(proxies)
    assert found.attempted and not found.failed


def test_a_notebook_shows_the_sentence_alone(serve):
    """And a script ends in it."""
    serve(401, {"error": "no"})
    code = "from ptc import connect; connect()[0].chat.completions.create(model='t', messages=[])"
    ipython = [sys.executable, "-m", "IPython", "--colors=NoColor", "-c", code]
    notebook = subprocess.run(ipython, capture_output=True, text=True)
    shown = notebook.stdout + notebook.stderr
    assert shown.startswith("ModelError: http://127.0.0.1") and len(shown.splitlines()) <= 2
    assert " ".join(shown.split()).endswith("set OPENAI_API_KEY to one that is valid there")
    script = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    *lines, last = script.stderr.splitlines()
    assert last.startswith("ptc.client.failures.ModelError: http://127") and len(lines) < 30
    assert "hunter2" not in script.stderr + shown


def test_the_scripted_model_can_take_its_time():
    """One provider for each latency, and asking again gives the same."""
    slow, quick = connect(latency=0.25)[0], connect()[0]
    with slow, quick:
        assert slow.base_url != quick.base_url == connect()[0].base_url
        assert slow.base_url == connect(latency=0.25)[0].base_url
        ask = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]}
        assert slow.chat.completions.create(**ask) == quick.chat.completions.create(**ask)
