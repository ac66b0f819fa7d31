"""A scripted model behind a real wire: OpenAI's Chat Completions over HTTP on this machine.

What providers refuse is refused with their words; each was seen in the thread named beside it.
"""

import json
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from socketserver import TCPServer
from typing import Any, Self

from .text import explain

Message = dict[str, Any]
Script = Callable[[dict[str, Any]], Message]

MODEL = "scripted"
_CREATED = 1_735_689_600  # a constant: the same request gives the same reply, byte for byte
_PIECE = 6  # characters of an argument text in one streamed chunk


# ---------------------------------------------------------------- the server
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
        self._script = script if callable(script) else _in_turn(list(script))
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
        return {"role": "assistant", "content": None, **_numbered(self._script(request), request)}


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
        except _Refused as refused:
            self._send(refused.status, {"error": refused.error})

    do_GET = do_POST

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # where the next request begins can't be told
            raise _Refused(_NOT_JSON)
        return self.rfile.read(int(length))

    def _answer(self, body: bytes) -> None:
        path = self.path.partition("?")[0]
        method = {"/v1/chat/completions": "POST", "/v1/models": "GET"}.get(path)
        if method is None:  # harry0703/MoneyPrinterTurbo#57
            raise _Refused(f"Invalid URL ({self.command} {path})", status=404)
        if method != self.command:  # vllm-project/vllm#7463
            raise _Refused("Method Not Allowed", status=405)
        if method == "GET":
            model = {"id": MODEL, "object": "model", "created": _CREATED, "owned_by": "ptc"}
            return self._send(200, {"object": "list", "data": [model]})
        request = _read_json(body)
        self.server.provider.requests.append(request)
        check_request(request)
        self._send_reply(request)

    def _send_reply(self, request: dict[str, Any]) -> None:
        try:
            message = self.server.provider.reply(request)
            bodies = _bodies(message, request)
        except Exception as error:
            raise _Refused(f"the script failed: {explain(error)}", status=500) from None
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
        self._send(code, {"error": _Refused(str(message)).error})

    def log_message(self, format: str, *args: object) -> None:
        """Silent: a notebook's output is no server's log."""


# ---------------------------------------------------------------- what is refused
class _Refused(Exception):
    def __init__(
        self, message: str, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        kind = "invalid_request_error" if status < 500 else "server_error"
        self.status = status
        self.error = {"message": message, "type": kind, "param": param, "code": code}


_NOT_JSON = (  # ChatGPTNextWeb/NextChat#4064
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was "
    "not valid JSON. If you have trouble figuring out how to fix this, please contact us through "
    "our help center at help.openai.com.)"
)
_KINDS = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string"}
_KINDS |= {list: "an array", dict: "an object", type(None): "null"}
_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_FUNCTION = {"type": ("function",), "function": {"name": str}}
_CALLS = [_FUNCTION | {"id": str}]


def check_request(request: Any) -> None:
    """Raise what a provider refuses: first a field's type, then who answers whom."""
    if not isinstance(request, dict):
        raise _Refused(_NOT_JSON)
    for key, kind in (("model", str), ("stream", bool)):
        if request.get(key) is not None:
            _check(request[key], kind, key)
    _check(request, {"messages": [{"role": _ROLES}]}, "")
    for index, message in enumerate(request["messages"]):
        _check_content(message, index)
    _check_pairing(request["messages"])
    _check_tools(request)


def _check(value: Any, shape: Any, path: str) -> None:
    """Refuse a value of another shape: a type, a dict of keys, a list of one, a tuple of texts."""
    kind = {tuple: str, type: shape}.get(type(shape), type(shape))
    if not isinstance(value, kind):  # clusterzx/paperless-ai#748, aaif-goose/goose-mobile#20
        told = "an array of objects" if kind is list else _KINDS[kind]
        told = f"Invalid type for '{path}': expected {told}, but got {_KINDS[type(value)]} instead."
        raise _Refused(told, path, "invalid_type")
    if value in ("", []):  # CopilotKit/CopilotKit#529; of tools: vllm-project/vllm#39780
        noun, article = ("string", "a") if value == "" else ("array", "an")
        told = f"Expected {article} {noun} with minimum length 1, but got an empty {noun} instead."
        raise _Refused(f"Invalid '{path}': empty {noun}. {told}", path, f"empty_{noun}")
    if isinstance(shape, tuple) and value not in shape:  # run-llama/llama_index#17748
        *most, last = (f"'{name}'" for name in shape)
        told = f"{', '.join(most)}, and {last}" if most else last
        told = f"Invalid value: '{value}'. Supported values are: {told}."
        raise _Refused(told, path, "invalid_value")
    if isinstance(shape, list):
        for index, item in enumerate(value):
            _check(item, shape[0], f"{path}[{index}]")
    for key in shape if isinstance(shape, dict) else ():
        inner = f"{path}.{key}".lstrip(".")
        if key not in value:  # bolna-ai/bolna#144, ServiceNow/TapeAgents#66
            told = f"Missing required parameter: '{inner}'."
            raise _Refused(told, inner, "missing_required_parameter")
        _check(value[key], shape[key], inner)


def _check_content(message: Message, index: int) -> None:
    path, content, calls = f"messages[{index}]", message.get("content"), _calls(message)
    if calls is not None:
        _check_calls(calls, f"{path}.tool_calls", index)
    elif content is None:  # docker/docker-agent#63
        told = "Invalid value for 'content': expected a string, got null."
        raise _Refused(told, f"messages.[{index}].content")
    if isinstance(content, list):  # langchain-ai/langgraphjs#506
        _check(content, [{"type": str}], f"{path}.content")
    elif content is not None and not isinstance(content, str):  # clusterzx/paperless-ai#748
        told = f"one of a string or array of objects, but got {_KINDS[type(content)]} instead."
        told = f"Invalid type for '{path}.content': expected {told}"
        raise _Refused(told, f"{path}.content", "invalid_type")


def _check_calls(calls: list[Message], path: str, index: int) -> None:
    _check(calls, _CALLS, path)
    seen = set()
    for place, item in enumerate(calls):
        text = item["function"].get("arguments")
        if text != "":  # which is taken for none, as by vLLM: mudler/vllm.cpp#526
            where = f"{path}[{place}].function"
            _check(item["function"], {"arguments": str}, where)
            _check_arguments(text)
        if item["id"] in seen:  # BuilderIO/agent-native#2312
            told = f"Duplicate value for 'tool_call_id' of {item['id']} in message[{index}]"
            raise _Refused(told)
        seen.add(item["id"])


def _check_arguments(text: str) -> None:
    with suppress(_Refused):
        if isinstance(_read_json(text), dict):
            return
    raise _Refused(  # Alibaba's words, explyt/explyt#23: OpenAI itself lets these pass
        '<400> InternalError.Algo.InvalidParameter: The "function.arguments" parameter of the '
        "code model must be in JSON format.",
        code="invalid_parameter_error",
    )


def _check_pairing(messages: list[Message]) -> None:
    asked: set[str] = set()
    answered: dict[str, int] = {}  # an id, and the place of the message that answers it
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            _check_answer(message, index, asked, answered)
            continue
        _check_answered(asked, answered, index)
        asked, answered = {item["id"] for item in _calls(message) or []}, {}
    _check_answered(asked, answered, len(messages) - 1)


def _check_answer(message: Message, at: int, asked: set[str], answered: dict[str, int]) -> None:
    if not asked:  # smarter-sh/smarter#264; the spelling is OpenAI's
        told = "messages with role 'tool' must be a response to a preceeding message with "
        raise _Refused(f"Invalid parameter: {told}'tool_calls'.", f"messages.[{at}].role")
    path = f"messages.[{at}].tool_call_id"
    sent = message.get("tool_call_id")
    if sent is None:  # run-llama/multi-agent-concierge#16
        told = "Missing parameter 'tool_call_id': messages with role 'tool' must have a "
        raise _Refused(f"{told}'tool_call_id'.", path)
    _check(sent, str, f"messages[{at}].tool_call_id")
    if sent not in asked:  # dapr/dapr-agents#145
        told = f"'tool_call_id' of '{sent}' not found in 'tool_calls' of previous message."
        raise _Refused(f"Invalid parameter: {told}", path)
    if sent in answered:  # agno-agi/agno#5116
        told = f"of '{sent}', in messages[{answered[sent]}] and messages[{at}]."
        raise _Refused(f"Invalid parameter: Duplicate value for 'tool_call_id' {told}", path)
    answered[sent] = at


def _check_answered(asked: set[str], answered: dict[str, int], at: int) -> None:
    if missing := sorted(asked - answered.keys()):  # router-for-me/CLIProxyAPI#2798
        raise _Refused(
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            + ", ".join(missing),
            f"messages.[{at}].role",
        )


def _check_tools(request: dict[str, Any]) -> None:
    if request.get("tools") is None:
        for key in ("tool_choice", "parallel_tool_calls"):  # dapr/dapr-agents#248, openai/swarm#30
            if request.get(key) is not None:
                told = f"'{key}' is only allowed when 'tools' are specified."
                raise _Refused(f"Invalid value for '{key}': {told}", key)
        return
    _check(request["tools"], [_FUNCTION], "tools")
    for index, tool in enumerate(request["tools"]):
        path = f"tools[{index}].function"
        _check(tool["function"].get("parameters", {}), dict, f"{path}.parameters")
        if not re.fullmatch("[a-zA-Z0-9_-]+", tool["function"]["name"]):
            told = f"Invalid '{path}.name': string does not match pattern. Expected a string that "
            told += "matches the pattern '^[a-zA-Z0-9_-]+$'."  # Vortiago/mcp-azure-devops#30
            raise _Refused(told, f"{path}.name", "invalid_value")


# ---------------------------------------------------------------- what is replied
def call(name: str, arguments: dict[str, Any] | str, id: Any = ...) -> Message:
    """One tool call, for a script; the provider numbers it unless ``id`` is given.

    ``id=None`` leaves the id out. A text for ``arguments`` goes out as it is, JSON or not.
    """
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    function = {"name": name, "arguments": text}
    return {"type": "function", "function": function} | ({} if id is None else {"id": id})


def _in_turn(messages: list[Message]) -> Script:
    def script(request: dict[str, Any]) -> Message:
        said = sum(message["role"] == "assistant" for message in request["messages"])
        if said < len(messages):
            return messages[said]
        raise IndexError(f"asked for reply {said + 1}, and the list has {len(messages)}")

    return script


def _calls(message: Message) -> list[Message] | None:
    return message.get("tool_calls") if message["role"] == "assistant" else None


def _numbered(reply: Message, request: dict[str, Any]) -> Message:
    calls = reply.get("tool_calls")
    if not calls:
        return reply
    history = [_calls(message) or [] for message in request["messages"]]
    taken = {item["id"] for turn in history for item in turn}
    turn = 1 + sum(map(bool, history))
    while any(f"call_{turn}_{place}" in taken for place in range(1, len(calls) + 1)):
        turn += 1  # the client sent only a part of the history
    numbered = [
        {**item, "id": f"call_{turn}_{place}"} if item.get("id") is ... else item
        for place, item in enumerate(calls, start=1)
    ]
    return {**reply, "tool_calls": numbered}


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


def _read_json(text: str | bytes) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)  # NaN and Infinity are Python's, not JSON's

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise _Refused(_NOT_JSON) from None


# ---------------------------------------------------------------- the script of the lessons
_TOOLS = {
    "get_time": re.compile(r"\b(times?|clock)\b", re.IGNORECASE),
    "get_date": re.compile(r"\b(dates?|(what|which) day|day is it)\b", re.IGNORECASE),
    "get_weather": re.compile(r"\b(weather|temperature|forecast|rain\w*)\b", re.IGNORECASE),
}
_KNOWN = (
    "Paris|London|Tokyo|New York|São Paulo|Sydney|Mumbai|Cairo|Nairobi|Lima|Berlin|Madrid|Rome|"
    "Los Angeles|Mexico City|Singapore|Seoul|Istanbul|Reykjavik|Cape Town|Auckland|Honolulu|"
    "Kathmandu|Beijing|Toronto|Buenos Aires|Lagos|Dubai|Atlantis"
)
_NO_CITY = "and|or|today|tonight|now|tomorrow|please|celsius|fahrenheit"
_WORD = rf"\b(?!(?i:{_NO_CITY})\b)[^\W\d_a-zß-öø-ÿ](?:[\w'-]|\.(?=\w|,? [A-Z]))*"
_CITY = rf"(?:\b(?i:{_KNOWN})\b|{_WORD}(?: (?:(?:de|da|do|del|la|of|the) )*{_WORD})*)"
_LIST = rf"{_CITY}(?:(?:, ?(?i:and )?| (?i:and|or) | ?[&/] ?){_CITY})*"
_PLACES = re.compile(rf"\b(?i:in|for|at|of) ({_LIST})")
_HELP = (
    "I am a scripted model. I can tell the time, the date and the weather in a city, if I am given "
    "the tools get_time, get_date and get_weather. Try “What's the time, the date and the weather "
    "in Paris?”"
)


def city_script(request: dict[str, Any]) -> Message:
    """Ask for the time, date and weather that the last question is about, then say the answers.

    City by city, all that is missing at once; with ``parallel_tool_calls`` false one a turn. An
    answer is said of the tool and city whose call has its id.
    """
    messages = request["messages"]
    asked = [_text(message) for message in messages if message["role"] == "user"]
    answers = _answers(messages)
    done = [subject for subject, _ in answers]
    calls = [
        call(tool, {"city": city})
        for tool, city in _wanted(asked)
        if tool in _offered(request) and (tool, city) not in done
    ]
    if calls:
        most = 1 if request.get("parallel_tool_calls") is False else None
        return _numbered({"content": None, "tool_calls": calls[:most]}, request)
    return {"content": " ".join(_say(*subject, said) for subject, said in answers) or _HELP}


def _answers(messages: list[Message]) -> list[tuple[tuple[str, str], str]]:
    """The tool and city of each call since the last question, with the content under its id."""
    found: dict[tuple[int, str], tuple[tuple[str, str], str]] = {}
    turn = 0  # an id is unique in its turn only
    for message in messages:
        if message["role"] == "user":
            found = {}
        elif calls := _calls(message):
            turn += 1
            found |= {(turn, item["id"]): (_subject(item), "") for item in calls}
        elif message["role"] == "tool":
            subject, _ = found[turn, message["tool_call_id"]]
            found[turn, message["tool_call_id"]] = subject, _text(message)
    return list(found.values())


def _text(message: Message) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(str(part["text"]) for part in content or [] if "text" in part)


def _offered(request: dict[str, Any]) -> set[str]:
    choice = request.get("tool_choice")
    names = {tool["function"]["name"] for tool in request.get("tools") or []}
    if isinstance(choice, dict) and isinstance(choice.get("function"), dict):
        return {name for name in names if name == choice["function"].get("name")}
    return set() if choice == "none" else names


def _subject(item: Message) -> tuple[str, str]:
    arguments = json.loads(item["function"]["arguments"] or "{}")
    return item["function"]["name"], str(arguments.get("city", ""))


def _wanted(asked: list[str]) -> list[tuple[str, str]]:
    """The tools and cities of the last text; what it leaves out is what was asked before."""
    text = asked[-1] if asked else ""
    tools = next(filter(None, map(_tools_in, reversed(asked))), [])
    cities = next(filter(None, map(_cities_in, reversed(asked))), [])
    if not _tools_in(text) and not _cities_in(text):
        return []
    pairs, begin = [], 0
    for match in _PLACES.finditer(text):
        tools = _tools_in(text[begin : match.start()]) or tools
        cities = _names(match[1])
        pairs += [(tool, city) for city in cities for tool in tools]
        begin = match.end()
    rest = _tools_in(text[begin:]) if pairs else tools
    pairs += [(tool, city) for city in cities for tool in rest]
    return list(dict.fromkeys(pairs))


def _tools_in(text: str) -> list[str]:
    found = {name: match.start() for name, words in _TOOLS.items() if (match := words.search(text))}
    return sorted(found, key=found.__getitem__)


def _cities_in(text: str) -> list[str]:
    found = " & ".join(match[1] for match in _PLACES.finditer(text))
    return _names(found or " & ".join(re.findall(rf"\b(?i:{_KNOWN})\b", text)))


def _names(text: str) -> list[str]:
    known = {name.lower(): name for name in _KNOWN.split("|")}
    return [known.get(name.lower(), name) for name in re.findall(_CITY, text)]


def _say(tool: str, city: str, content: str) -> str:
    thing = f"the {tool.removeprefix('get_')} in {city}" if city else f"the answer of {tool}"
    try:
        value = _read_json(content)
    except _Refused:
        value = content
    if isinstance(value, dict) and "error" in value:
        return f"I could not get {thing}: {str(value['error']).rstrip('.')}."
    if isinstance(value, dict):
        value = ", ".join(_detail(key, item) for key, item in value.items() if item != city)
    return f"{thing[0].upper()}{thing[1:]} is {value}."


def _detail(key: str, value: Any) -> str:
    if key.endswith("_c") and isinstance(value, int | float):
        return f"{value} °C"
    return str(value) if key == "condition" else f"{key.replace('_', ' ')} {value}"
