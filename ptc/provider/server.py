"""A scripted model behind a real wire: OpenAI's Chat Completions over HTTP on this machine.

What it says is in :mod:`ptc.provider.script`, what it refuses in :mod:`ptc.provider.refusals`.
"""

import json
import math
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from socketserver import TCPServer
from typing import Any, Self, cast

from ..text import explain
from .loopback import is_for_this_machine
from .refusals import NOT_JSON, Message, Refused, check_request, read_json
from .script import Script, city_script, in_turn, numbered

MODEL = "scripted"
_CREATED = 1_735_689_600  # a constant: the same request gives the same reply, byte for byte
_PIECE = 6  # characters of an argument text in one streamed chunk
_LONGEST_BODY = 64 * 1024 * 1024  # bytes
_LONGEST_WAIT = 30.0  # seconds for the next bytes of a body


class ScriptedProvider:
    """A provider that replies what ``script`` says; a context manager, or ``start`` and ``close``.

    >>> with ScriptedProvider([{"content": "Hello."}]) as provider:
    ...     client = openai.OpenAI(base_url=provider.base_url, api_key="none")
    ...     asked = [{"role": "user", "content": "Hello?"}]
    ...     reply = client.chat.completions.create(model=MODEL, messages=asked)
    >>> reply.choices[0].message.content
    'Hello.'

    ``script`` takes the request and gives the assistant's message, which goes out as it is, also
    where it is malformed; or it is a list of such messages, replied in turn by the number of
    assistant messages in the history. A ``finish_reason`` in it becomes the reply's. A script may
    raise :class:`ptc.provider.Refused`.
    ``latency`` is in seconds per reply, spread over the chunks of a streamed one, and can be set
    at any time. ``requests`` holds the bodies received, and no headers. Whoever forgets to close it
    can still exit: all its threads are daemons.
    """

    def __init__(
        self, script: "Script | Sequence[Message] | None" = None, *, latency: float = 0.0
    ) -> None:
        script = city_script if script is None else script
        self._script = script if callable(script) else in_turn(list(script))
        self._server: _Server | None = None
        self.latency = latency
        self.closing = threading.Event()  # set by close: no latency is waited out after it
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
            self.closing = threading.Event()
            self._server = _Server(self)
        return self

    def close(self) -> None:
        """Stop listening and hang up, also in the middle of a reply."""
        server, self._server = self._server, None
        if server is not None:
            self.closing.set()
            server.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def reply(self, request: dict[str, Any]) -> Message:
        """The script's message; ids that it leaves open become ``call_<turn>_<place>``."""
        return {"role": "assistant", "content": None, **numbered(self._script(request), request)}

    def deltas(self, request: dict[str, Any], message: Message) -> Iterator[Message]:
        """The pieces in which a streamed message goes out."""
        return in_pieces(message)

    def seconds(self, request: dict[str, Any]) -> float:
        """How long the reply takes."""
        return self.latency

    def models(self) -> list[str]:
        """The names in the list of models; any name is served."""
        return [MODEL]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, provider: ScriptedProvider) -> None:
        self.provider = provider
        self._connections: dict[Any, threading.Thread] = {}
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # http.server's own asks DNS for a name, which can take seconds
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)

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
        self.shutdown()  # first: from here on no connection is added
        self._thread.join()
        self.server_close()
        for connection, thread in self._connections.items():
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)
            thread.join(timeout=1)  # a script that hangs keeps its thread, and nobody waits for it


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.provider = cast(_Server, self.server).provider
        self.closing = self.provider.closing

    def do_POST(self) -> None:
        try:
            self._answer(self._body())
        except Refused as refused:
            self._send(refused.status, {"error": refused.error})

    do_GET = do_POST

    def _body(self) -> bytes:
        """The body, if its length is told and possible; else the connection ends with a refusal.

        For where the next request begins can't be told.
        """
        length = self._length()
        self.connection.settimeout(_LONGEST_WAIT)
        try:
            body = self.rfile.read(length)
        except TimeoutError:
            self.close_connection = True
            waited = f"{_LONGEST_WAIT:g} s"
            problem = f"Request timeout: no more of the body's {length} bytes came in {waited}."
            raise Refused(problem, status=408) from None
        self.connection.settimeout(None)  # an idle connection may be kept for as long as one likes
        return body

    def _length(self) -> int:
        told = set(self.headers.get_all("Content-Length") or ["0"])
        text = told.pop()
        length = int(text[:20]) if text.isdecimal() else -1  # no int of a thousand digits
        if 0 <= length <= _LONGEST_BODY and not told and "Transfer-Encoding" not in self.headers:
            return length
        self.close_connection = True
        if length > _LONGEST_BODY:
            problem = f"Request too large: its body may have {_LONGEST_BODY} bytes at most."
            raise Refused(problem, status=413)
        raise Refused(NOT_JSON)

    def _answer(self, body: bytes) -> None:
        host = self.headers.get("Host")
        if not is_for_this_machine(host):
            raise Refused(f"Host {host!r} is not this machine.", status=403)
        path = self.path.partition("?")[0]
        method = {"/v1/chat/completions": "POST", "/v1/models": "GET"}.get(path)
        if method is None:  # harry0703/MoneyPrinterTurbo#57
            raise Refused(f"Invalid URL ({self.command} {path})", status=404)
        if method != self.command:  # vllm-project/vllm#7463
            raise Refused("Method Not Allowed", status=405)
        if method == "GET":
            model = {"object": "model", "created": _CREATED, "owned_by": "ptc"}
            models = [{"id": name, **model} for name in self.provider.models()]
            return self._send(200, {"object": "list", "data": models})
        request = read_json(body)
        self.provider.requests.append(request)
        check_request(request)
        self._send_reply(request)

    def _send_reply(self, request: dict[str, Any]) -> None:
        try:
            message = self.provider.reply(request)
            deltas = self.provider.deltas(request, message) if request.get("stream") else None
            bodies = reply_bodies(message, request, deltas)
        except Refused:
            raise
        except Exception as error:
            raise Refused(f"the script failed: {explain(error)}", status=500) from None
        seconds = self.provider.seconds(request)
        if request.get("stream"):
            self._send_events([*map(json.dumps, bodies), "[DONE]"], seconds)
        elif not self.closing.wait(seconds):
            self._send(200, bodies[0])

    def _send_events(self, events: list[str], seconds: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            if self.closing.wait(seconds / len(events)):
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
        """Silent: a notebook's output is not a server's log."""


def reply_bodies(
    message: Message, request: dict[str, Any], deltas: Iterable[Message] | None = None
) -> list[Message]:
    """The reply's body, or the chunks of a streamed one if there are ``deltas``.

    >>> asked = {"messages": [{"role": "user", "content": "Hello?"}]}
    >>> [body] = reply_bodies({"role": "assistant", "content": "Hello."}, asked)
    >>> body["choices"][0]["finish_reason"]
    'stop'
    """
    usage = _usage(message, request)
    envelope = {
        "id": f"chatcmpl-{len(request['messages'])}",
        "object": "chat.completion" if deltas is None else "chat.completion.chunk",
        "created": _CREATED,
        "model": request.get("model") or MODEL,
    }
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    reason = message.get("finish_reason", reason)
    message = _without(message, "finish_reason")
    end = {"index": 0, "finish_reason": reason}
    if deltas is None:
        return [envelope | {"choices": [end | {"message": message}], "usage": usage}]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    chunks = [envelope | {"choices": [choice]} for choice in [*choices, end | {"delta": {}}]]
    options = request.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        chunks.append(envelope | {"choices": [], "usage": usage})
    return chunks


def _usage(message: Message, request: dict[str, Any]) -> dict[str, int]:
    """What the request and the reply cost; a token counts as four characters."""
    asked = _tokens([request["messages"], request.get("tools")])
    said = _tokens(message)
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _tokens(part: Any) -> int:
    return math.ceil(len(json.dumps(part, ensure_ascii=False)) / 4)


def in_pieces(message: Message) -> Iterator[Message]:
    """The deltas of a message: its words one by one, its arguments in pieces of six characters.

    >>> [delta["content"] for delta in in_pieces({"role": "assistant", "content": "Hello you."})]
    ['', 'Hello ', 'you.']
    """
    content = message["content"]
    first = _without(message, "tool_calls", "finish_reason")
    yield first | {"content": content and ""}
    for piece in re.findall(r"\S+\s*|\s+", content or ""):
        yield {"content": piece}
    for index, item in enumerate(message.get("tool_calls") or []):
        for piece in _pieces_of_call(item):
            yield {"tool_calls": [{"index": index, **piece}]}


def _without(message: Message, *keys: str) -> Message:
    return {key: value for key, value in message.items() if key not in keys}


def _pieces_of_call(item: Message) -> Iterator[Message]:
    """The call with its name and no arguments, then these in pieces; or it as it is, if odd."""
    function = item.get("function")
    text = function.get("arguments") if isinstance(function, dict) else None
    if not function or not isinstance(text, str) or not text:
        yield item
        return
    yield {**item, "function": {**function, "arguments": ""}}
    for start in range(0, len(text), _PIECE):
        yield {"function": {"arguments": text[start : start + _PIECE]}}
