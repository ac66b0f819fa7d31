"""A scripted model behind a real wire: OpenAI's Chat Completions over HTTP on this machine.

What it says is in :mod:`ptc.scripts`, what it refuses in :mod:`ptc.refusals`.
"""

import json
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from socketserver import TCPServer
from typing import Any, Self

from ..text import explain
from .refusals import NOT_JSON, Message, Refused, check_request, read_json
from .script import Script, call, city_script, in_turn, numbered

__all__ = ["MODEL", "Message", "Script", "ScriptedProvider", "call", "city_script"]

MODEL = "scripted"
_CREATED = 1_735_689_600  # a constant: the same request gives the same reply, byte for byte
_PIECE = 6  # characters of an argument text in one streamed chunk


class ScriptedProvider:
    """A provider that replies what ``script`` says; a context manager, or ``start`` and ``close``.

    ``script`` takes the request and gives the assistant's message, which goes out as it is, also
    where it is malformed; or it is a list of such messages, replied in turn by the number of
    assistant messages in the history. ``latency`` is in seconds per reply, spread over the chunks
    of a streamed one, and can be set at any time. ``requests`` holds the bodies received, and
    no headers. Whoever forgets to close it can still exit: all its threads are daemons.
    """

    def __init__(
        self, script: "Script | Sequence[Message] | None" = None, *, latency: float = 0.0
    ) -> None:
        script = city_script if script is None else script
        self._script = script if callable(script) else in_turn(list(script))
        self._server: _Server | None = None
        self.latency = latency
        self.requests: list[Any] = []

    @property
    def base_url(self) -> str:
        """The address for ``openai.OpenAI(base_url=…)``; a new port at every start."""
        if self._server is None:
            raise RuntimeError("not started: use `with ScriptedProvider() as provider`, or start()")
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def start(self) -> Self:
        """Listen, until ``close``; nothing happens where it listens already."""
        if self._server is None:
            self._server = _Server(self)
        return self

    def close(self) -> None:
        """Stop listening and hang up, also in the middle of a reply."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def reply(self, request: dict[str, Any]) -> Message:
        """The script's message; ids that it leaves open become ``call_<turn>_<place>``."""
        return {"role": "assistant", "content": None, **numbered(self._script(request), request)}


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, provider: ScriptedProvider) -> None:
        self.provider = provider
        self.closing = threading.Event()
        self._connections: dict[Any, threading.Thread] = {}
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # http.server's own asks DNS for a name, which can take seconds
        self.server_name, self.server_port = self.server_address[:2]

    def process_request(self, request: Any, client_address: Any) -> None:
        work = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        # Only this thread changes the dict: one that ends can't leave it before it is joined.
        alive = {line: thread for line, thread in self._connections.items() if thread.is_alive()}
        self._connections = alive | {request: work}
        work.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silent about a client that hung up."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        self.closing.set()
        self.shutdown()  # first: from here on no connection is added
        self._thread.join()
        self.server_close()
        for connection, thread in self._connections.items():
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)
            thread.join(timeout=1)  # a script that hangs keeps its thread, and nobody waits for it


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        try:
            self._answer(self._body())
        except Refused as refused:
            self._send(refused.status, {"error": refused.error})

    do_GET = do_POST

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # where the next request begins can't be told
            raise Refused(NOT_JSON)
        return self.rfile.read(int(length))

    def _answer(self, body: bytes) -> None:
        path = self.path.partition("?")[0]
        method = {"/v1/chat/completions": "POST", "/v1/models": "GET"}.get(path)
        if method is None:  # harry0703/MoneyPrinterTurbo#57
            raise Refused(f"Invalid URL ({self.command} {path})", status=404)
        if method != self.command:  # vllm-project/vllm#7463
            raise Refused("Method Not Allowed", status=405)
        if method == "GET":
            model = {"id": MODEL, "object": "model", "created": _CREATED, "owned_by": "ptc"}
            return self._send(200, {"object": "list", "data": [model]})
        request = read_json(body)
        self.server.provider.requests.append(request)
        check_request(request)
        self._send_reply(request)

    def _send_reply(self, request: dict[str, Any]) -> None:
        try:
            message = self.server.provider.reply(request)
            bodies = _bodies(message, request)
        except Exception as error:
            raise Refused(f"the script failed: {explain(error)}", status=500) from None
        if request.get("stream"):
            return self._send_events([*map(json.dumps, bodies), "[DONE]"])
        if not self.server.closing.wait(self.server.provider.latency):
            self._send(200, bodies[0])

    def _send_events(self, events: list[str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            if self.server.closing.wait(self.server.provider.latency / len(events)):
                return
            data = f"data: {event}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status >= 500:
            self.send_header("x-should-retry", "false")  # a script fails the same way again
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else data)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server refuses by itself, in the same shape; other methods count as wrong."""
        self.close_connection = True
        code, message = (405, "Method Not Allowed") if code == 501 else (code, message)
        self._send(code, {"error": Refused(str(message)).error})

    def log_message(self, format: str, *args: object) -> None:
        """Silent: a notebook's output is no server's log."""


def _bodies(message: Message, request: dict[str, Any]) -> list[Message]:
    """The reply's body, or the chunks of a streamed one; a token counts as four characters."""
    streamed = bool(request.get("stream"))
    asked = [request["messages"], request.get("tools")]
    spent = [-(-len(json.dumps(part, ensure_ascii=False)) // 4) for part in (asked, message)]
    usage = dict(zip(("prompt_tokens", "completion_tokens"), spent, strict=True))
    usage["total_tokens"] = sum(spent)
    envelope = {
        "id": f"chatcmpl-{len(request['messages'])}",
        "object": "chat.completion.chunk" if streamed else "chat.completion",
        "created": _CREATED,
        "model": request.get("model") or MODEL,
    }
    end = {"index": 0, "finish_reason": "tool_calls" if message.get("tool_calls") else "stop"}
    if not streamed:
        return [envelope | {"choices": [end | {"message": message}], "usage": usage}]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in _deltas(message)]
    chunks = [envelope | {"choices": [choice]} for choice in [*choices, end | {"delta": {}}]]
    options = request.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        chunks.append(envelope | {"choices": [], "usage": usage})
    return chunks


def _deltas(message: Message) -> Iterator[Message]:
    content, calls = message["content"], message.get("tool_calls") or []
    first = {key: value for key, value in message.items() if key != "tool_calls"}
    yield first | {"content": content and ""}
    for piece in re.findall(r"\S+\s*|\s+", content or ""):
        yield {"content": piece}
    for index, item in enumerate(calls):
        function = item.get("function")
        text = function.get("arguments") if isinstance(function, dict) else None
        pieces = range(0, len(text), _PIECE) if isinstance(text, str) else ()
        head = {"function": {**function, "arguments": ""}} if pieces else {}
        yield {"tool_calls": [{"index": index, **item, **head}]}
        for start in pieces:
            function = {"arguments": text[start : start + _PIECE]}
            yield {"tool_calls": [{"index": index, "function": function}]}
