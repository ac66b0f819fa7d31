"""Small models as they were seen to behave, each under its name, behind the same wire.

A runner that bears all of these bears most of what a model on one's own machine does. Each of them
takes :func:`ptc.provider.city_script` and does one thing in its own way; ``small`` does most of
them at once.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from .refusals import Message, Refused, calls_of
from .script import Script, city_script, numbered, tool_call
from .server import ScriptedProvider, in_pieces

Request = dict[str, Any]


class SmallModels(ScriptedProvider):
    """A provider of all of :data:`SMALL_MODELS`; the ``model`` of a request says which one answers.

    >>> with SmallModels() as provider:
    ...     client = openai.OpenAI(base_url=provider.base_url, api_key="none")
    ...     asked = [{"role": "user", "content": "What time is it in Lima?"}]
    ...     reply = client.chat.completions.create(model="words", messages=asked)
    >>> reply.choices[0].message.content
    'It is 10 o’clock there, and the sun shines.'

    ``slow`` takes ``slow`` seconds for a reply, the others ``latency``.
    """

    def __init__(self, *, latency: float = 0.0, slow: float = 2.0) -> None:
        super().__init__(_as_named, latency=latency)
        self.slow = slow

    def environment(self, model: str) -> dict[str, str]:
        """The variables with which :func:`ptc.connect` asks that model.

        >>> with SmallModels() as provider:
        ...     provider.environment("words")["PTC_MODEL"]
        'words'
        """
        return {"PTC_MODEL": model, "OPENAI_BASE_URL": self.base_url}

    def models(self) -> list[str]:
        return list(SMALL_MODELS)

    def seconds(self, request: Request) -> float:
        return self.slow if request["model"] == "slow" else self.latency

    def deltas(self, request: Request, message: Message) -> Iterator[Message]:
        if request["model"] in ("brace-first", "small"):
            return _brace_first(message)
        return in_pieces(message)


def _as_named(request: Request) -> Message:
    name = request.get("model")
    if name not in SMALL_MODELS:
        problem = f"The model `{name}` does not exist or you do not have access to it."
        raise Refused(problem, code="model_not_found", status=404)
    return SMALL_MODELS[name](request)


def _words(request: Request) -> Message:
    """Recites what it may have read somewhere, and calls nothing."""
    return {"content": "It is 10 o’clock there, and the sun shines."}


def _one_a_turn(request: Request) -> Message:
    """Asks for one call a turn, whatever it is allowed."""
    return city_script({**request, "parallel_tool_calls": False})


def _parallel_anyway(request: Request) -> Message:
    """Asks for all calls at once, also with ``parallel_tool_calls`` false."""
    return city_script({**request, "parallel_tool_calls": None})


def _repeats(request: Request) -> Message:
    """Asks for its last call twice, under two ids."""
    reply = _parallel_anyway(request)
    calls = reply.get("tool_calls")
    if not calls:
        return reply
    return numbered({**reply, "tool_calls": [*calls, {**calls[-1], "id": ...}]}, request)


def _asks_again(request: Request) -> Message:
    """Asks for the first call once more when it has the results of the first turn."""
    turns = _turns(request)
    if len(turns) == 1 and _may_call(request):
        return numbered({"content": None, "tool_calls": [{**turns[0][0], "id": ...}]}, request)
    return _parallel_anyway(request)


def _never_ends(request: Request) -> Message:
    """Asks for its first call again and again."""
    turns = _turns(request)
    if turns and _may_call(request):
        return numbered({"content": None, "tool_calls": [{**turns[0][0], "id": ...}]}, request)
    return _one_a_turn(request)


def _empty_content(request: Request) -> Message:
    """Sends ``content: ""`` beside its calls, where others send null."""
    reply = city_script(request)
    return {**reply, "content": reply["content"] or ""}


def _no_words(request: Request) -> Message:
    """Says its answer in a field that few read, and null where the words should be."""
    reply = city_script(request)
    return {**reply, "content": None, "reasoning_content": reply["content"] or "Tools may help."}


def _long_ids(request: Request) -> Message:
    """Gives ids of 32 characters."""
    return _with_long_ids(city_script(request))


def _broken_arguments(request: Request) -> Message:
    """Breaks off the arguments of its last call, in its first turn."""
    reply = city_script(request)
    calls = reply.get("tool_calls")
    if not calls or _turns(request):
        return reply
    *others, last = calls
    text = last["function"]["arguments"]
    broken = tool_call(last["function"]["name"], text[: len(text) // 2], id=last["id"])
    return {**reply, "tool_calls": [*others, broken]}


def _wrong_name(request: Request) -> Message:
    """Misspells the tool of its first call, in its first turn."""
    reply = city_script(request)
    calls = reply.get("tool_calls")
    if not calls or _turns(request):
        return reply
    first, *others = calls
    function = {**first["function"], "name": first["function"]["name"].replace("_", "")}
    return {**reply, "tool_calls": [{**first, "function": function}, *others]}


def _small(request: Request) -> Message:
    """Does most of it at once: repeats, asks again, long ids, ``content: ""``."""
    reply = _asks_again(request) if _turns(request) else _repeats(request)
    return {**_with_long_ids(reply), "content": reply["content"] or ""}


SMALL_MODELS: dict[str, Script] = {
    "words": _words,
    "one-a-turn": _one_a_turn,
    "parallel-anyway": _parallel_anyway,
    "repeats": _repeats,
    "asks-again": _asks_again,
    "never-ends": _never_ends,
    "empty-content": _empty_content,
    "no-words": _no_words,
    "long-ids": _long_ids,
    "brace-first": city_script,
    "broken-arguments": _broken_arguments,
    "wrong-name": _wrong_name,
    "slow": city_script,
    "small": _small,
}


def _turns(request: Request) -> list[list[Message]]:
    """The calls of each turn since the last question."""
    turns: list[list[Message]] = []
    for message in request["messages"]:
        if message["role"] == "user":
            turns = []
        elif calls := calls_of(message):
            turns.append(calls)
    return turns


def _with_long_ids(reply: Message) -> Message:
    calls = reply.get("tool_calls")
    if not calls:
        return reply
    ids = [hashlib.sha256(call["id"].encode()).hexdigest()[:32] for call in calls]
    return {
        **reply,
        "tool_calls": [{**call, "id": id} for call, id in zip(calls, ids, strict=True)],
    }


def _may_call(request: Request) -> bool:
    return bool(request.get("tools")) and request.get("tool_choice") != "none"


def _brace_first(message: Message) -> Iterator[Message]:
    """Pieces in which a call's name comes with the first character of its arguments."""
    yield {"role": message["role"], "content": message["content"] or ""}
    for index, call in enumerate(message.get("tool_calls") or []):
        text = call["function"]["arguments"]
        head = {**call, "function": {**call["function"], "arguments": text[:1]}}
        yield {"tool_calls": [{"index": index, **head}]}
        yield {"tool_calls": [{"index": index, "function": {"arguments": text[1:]}}]}
