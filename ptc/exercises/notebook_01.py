"""The exercises of notebook 01."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from ..calls import ToolCall
from .judging import Exercise, NotAttempted, Wrong, call, close, shown, why_not

_TIME = ("call_7", "get_time", {"city": "Paris"})
_DATE = ("call_8", "get_date", {"city": "Paris"})
_WEATHER = ("call_9", "get_weather", {"city": "Paris"})
_TOKYO = ("call_4", "get_time", {"city": "Tokyo"})
_CUT = '{"city": "Par'


class Reply(NamedTuple):
    """What a reply is, in words; the reply; and its calls as (id, name, arguments)."""

    what: str
    reply: Any
    calls: list[tuple[str, str, Any]]


# --- OpenAI's Chat Completions ---------------------------------------------------------------


def _openai(calls: list | None, content: str | None = None, finish: str = "tool_calls") -> Any:
    """A reply as the client gives it; arguments that are a text go out as they are."""
    from openai.types.chat import ChatCompletion

    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls is not None:
        message["tool_calls"] = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": _text(sent)}}
            for id, name, sent in calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": finish}
    envelope = {"id": "r", "object": "chat.completion", "created": 1, "model": "scripted"}
    return ChatCompletion.model_validate(envelope | {"choices": [choice]})


def _text(sent: Any) -> str:
    return sent if isinstance(sent, str) else json.dumps(sent)


@cache
def _sample() -> list[tuple[str, list[tuple[str, str, Any]]]]:
    """The queries of the bundled sample, each with its calls."""
    path = files("ptc") / "exercises" / "parallel_queries.json"
    entries = json.loads(path.read_text("utf-8"))["queries"]
    return [
        (
            entry["query"],
            [(f"c{n}", c["name"], c["arguments"]) for n, c in enumerate(entry["calls"])],
        )
        for entry in entries
    ]


def _sound_replies() -> Iterator[Reply]:
    three, twice = [_WEATHER, _TIME, _DATE], [_TIME, _DATE, _TOKYO]
    yield Reply("a reply with three calls", _openai(three), three)
    yield Reply("a reply with one call", _openai([_DATE]), [_DATE])
    yield Reply("a reply in words", _openai(None, "It is two.", "stop"), [])
    yield Reply("a reply with an empty list of calls", _openai([], "It is two.", "stop"), [])
    yield Reply("a reply that asks one tool twice", _openai(twice), twice)
    equal = [_TIME, ("call_8", *_TIME[1:])]
    yield Reply("a reply with two equal calls", _openai(equal), equal)
    yield Reply("a reply with text and calls", _openai(three, "Let me look that up."), three)
    yield Reply("a reply with calls and finish_reason 'stop'", _openai(three, None, "stop"), three)
    for query, calls in _sample():
        yield Reply(f"the reply to {query[:40]!r}…", _openai(calls), calls)


def _extraction(extract: Callable[..., Any]) -> None:
    for number, reply in enumerate(_sound_replies()):
        _judge(reply, _calls_of(extract, reply, first=number == 0), _why_openai)
    calls = [_TIME, (*_DATE[:2], _CUT)]
    cut = Reply("two calls, the second one cut off", _openai(calls), calls)
    _must_not_hide(extract, cut, f"the text {_CUT!r} can't be read")
    _must_not_hide(extract, _another_providers(), _UNKNOWN)


def _must_not_hide(extract: Callable[..., Any], reply: Reply, what: str) -> None:
    """For what can't be read, an error is right, and never a list that leaves it out."""
    try:
        got = call(extract, reply.reply)
    except Wrong:
        return  # it raised
    except NotAttempted:
        raise Wrong(f"for {reply.what} it gives None, and {what}: let it raise an error.") from None
    calls = got if isinstance(got, list) else []
    if len(calls) < len(reply.calls):
        given = _names(got) if isinstance(got, list) else shown(got)
        raise Wrong(
            f"for {reply.what} it gives {given}, and {what}. [] means that the model asks for "
            "nothing; let the error out, or nobody learns that calls are lost."
        )
    for asked, made in zip(reply.calls, calls, strict=False):
        if not isinstance(asked[2], dict) and not getattr(made, "problem", None):
            raise Wrong(
                f"for {reply.what}, {asked[1]} has no problem, and {what}: it would run without "
                "what the model meant to send. Let the error out."
            )


_UNKNOWN = "its shape is not one that you can read"


def _another_providers() -> Reply:
    return Reply(
        "a reply of another provider", _anthropic(_use(_TIME), _use(_DATE)), [_TIME, _DATE]
    )


def _why_openai(reply: Reply, got: list) -> str:
    if not reply.calls:
        return "It asks for nothing; give []."
    if not got and "text" in reply.what:
        return "A model may say something and ask for tools in the same reply: look for calls."
    if not got and "stop" in reply.what:
        return (
            "Providers send 'stop' beside calls when a certain tool was forced. Look for the "
            "calls themselves."
        )
    return ""


# --- malformed arguments ---------------------------------------------------------------------


def _broken_replies() -> Iterator[Reply]:
    def batch(sent: Any, place: int = 1) -> list[tuple[str, str, Any]]:
        calls = [_TIME, _WEATHER]
        calls.insert(place, ("call_8", "get_date", sent))
        return calls

    for what, calls in {
        "three calls, the second one cut off": batch(_CUT),
        "three calls, the first one cut off": batch(_CUT, 0),
        "three calls, the last one with single quotes": batch("{'city': 'Paris'}", 2),
        "three calls, all sound": batch({"city": "Paris"}),
        "three calls, the second one with a list in place of an object": batch('["Paris"]'),
        "three calls, the second one with a number": batch("7"),
        "three calls, the second one with an empty text": batch(""),
        "one call, cut off": [("call_8", "get_date", _CUT)],
    }.items():
        yield Reply(what, _openai(calls), calls)
    yield Reply("a reply in words", _openai(None, "It is two.", "stop"), [])


def _surviving(survive: Callable[..., Any]) -> None:
    for number, reply in enumerate(_broken_replies()):
        try:
            got = _calls_of(survive, reply, first=number == 0)
        except Wrong as wrong:
            if "JSONDecodeError" in str(wrong):
                raise Wrong(
                    f"for {reply.what} it raised a JSONDecodeError: one text can't be read, and "
                    "the other calls are lost with it."
                ) from None
            raise
        _judge(reply._replace(calls=[_readable(asked) for asked in reply.calls]), got, _why_broken)
        for asked, made in zip(reply.calls, got, strict=True):
            _judge_problem(reply, asked, made)
    _must_not_hide(survive, _another_providers(), _UNKNOWN)


def _readable(asked: tuple[str, str, Any]) -> tuple[str, str, Any]:
    """The call, with {} for arguments that are no JSON object."""
    return asked if isinstance(asked[2], dict) else (*asked[:2], {})


def _why_broken(reply: Reply, got: list) -> str:
    if not reply.calls:
        return "It asks for nothing; give []."
    if 0 < len(got) < len(reply.calls):
        return "Each call has to be answered, the broken one too: keep it, with a problem."
    if not got:
        return "One text can't be read, and the other calls are lost with it."
    if any(not isinstance(made.arguments, dict) for made in got):
        return (
            "Arguments are handed to a function by name, so they have to be a dict. A list or a "
            "number is JSON, too, and no arguments: that call has a problem and {}."
        )
    return ""


def _judge_problem(reply: Reply, asked: tuple[str, str, Any], made: Any) -> None:
    sent, problem = asked[2], made.problem
    told = f"for {reply.what}, {made.name} has problem={problem!r}. "
    if isinstance(sent, dict) and problem:
        raise Wrong(told + "Its arguments are sound; only a broken call has a problem.")
    if sent == "" and problem:
        raise Wrong(told + "An empty text means no arguments: {} and no problem.")
    if isinstance(sent, dict) or sent == "":
        return
    if not problem:
        raise Wrong(
            f"for {reply.what}, {made.name} has the arguments {{}} and no problem, so it would "
            "run, without what the model meant to send. Say what is wrong in problem=."
        )
    said = str(problem).replace("\\", "")
    if sent not in said:
        raise Wrong(told + f"Quote in it the text that came, {sent!r}: the model learns from that.")
    if not re.search(r"[^\W\d]{3}", said.replace(sent, "")):
        raise Wrong(told + "That quotes the text; say in words, too, what is wrong with it.")


# --- Anthropic's Messages --------------------------------------------------------------------


def _anthropic(*blocks: dict[str, Any]) -> dict[str, Any]:
    reason = "tool_use" if any(b["type"] == "tool_use" for b in blocks) else "end_turn"
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "scripted"}
    return head | {"stop_reason": reason, "content": list(blocks)}


def _use(asked: tuple[str, str, Any], kind: str = "tool_use") -> dict[str, Any]:
    return {"type": kind} | dict(zip(("id", "name", "input"), asked, strict=True))


def _anthropic_replies() -> Iterator[Reply]:
    say, three = {"type": "text", "text": "Let me look that up."}, [_WEATHER, _TIME, _DATE]
    more = {"type": "text", "text": "And the date."}
    uses = [_use(asked) for asked in three]
    searched = _use(("srvtoolu_1", "web_search", {"query": "Paris"}), "server_tool_use")
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    twice = [_TIME, _TOKYO, ("call_5", *_TIME[1:])]
    bare = ("call_6", "list_cities", {})
    for what, blocks, calls in [
        ("text and three calls", [say, *uses], three),
        ("three calls and no text", uses, three),
        ("text between the calls", [say, *uses[:2], more, uses[2]], three),
        ("text alone", [say], []),
        ("one call", [_use(_DATE)], [_DATE]),
        ("one tool asked several times", [_use(asked) for asked in twice], twice),
        ("a call with an empty input", [_use(bare)], [bare]),
        ("a web search that ran at the provider", [searched, found, say, *uses], three),
    ]:
        yield Reply(f"a reply of {what}", _anthropic(*blocks), calls)
    for query, calls in _sample():
        reply = _anthropic(say, *map(_use, calls))
        yield Reply(f"the reply to {query[:40]!r}…", reply, calls)


def _other_format(extract: Callable[..., Any]) -> None:
    for number, reply in enumerate(_anthropic_replies()):
        try:
            got = _calls_of(extract, reply, first=number == 0)
        except Wrong as wrong:
            if "must be str, bytes" in str(wrong):
                raise Wrong(f"{wrong} Here the input is an object already, not a text.") from None
            raise
        _judge(reply, got, _why_anthropic)
    calls = [_TIME, _DATE]
    reply = Reply("a reply of OpenAI's shape", _openai(calls).to_dict(), calls)
    _must_not_hide(extract, reply, _UNKNOWN)


def _why_anthropic(reply: Reply, got: list) -> str:
    if not reply.calls:
        return "It asks for nothing; give []."
    if any(getattr(made, "name", "") == "web_search" for made in got):
        return (
            "The web search is a server_tool_use: the provider has run it already. Only blocks "
            "of the type tool_use are for us."
        )
    if any(isinstance(made.arguments, str) for made in got):
        return "The arguments are a text; the input that came is what they should be."
    if not got:
        return "The calls are blocks of type 'tool_use' in the list reply['content']."
    return ""


# --- 01.2: how many calls survive -----------------------------------------------------------


def _survivors(answer: Any) -> None:
    wrong: dict[float, str] = {
        1: "the first text is read, that is true; but the list is given back only when it is "
        "whole, and the second text ends the function before that",
        2: "for that, each text would need a try of its own. Here one error ends the whole list",
        3: "for that, the second text would have to be read, and it ends in the middle of a word",
    }
    if close(answer, 0):
        return
    why = why_not(answer, wrong, "give a number from 0 to 3")
    raise Wrong(f"not {shown(answer, 40)}: {why}.")


# --- what all share --------------------------------------------------------------------


def _calls_of(extract: Callable[..., Any], reply: Reply, first: bool) -> list:
    """What it gives for a reply: a list of objects with id, name and arguments."""
    try:
        got = call(extract, reply.reply)
    except NotAttempted:
        if first:
            raise
        raise Wrong(f"for {reply.what} it gives None. {_none(reply)}") from None
    except Wrong as wrong:
        said = str(wrong).partition(" it raised ")[2]  # without the reply that it quotes
        if not said:
            raise
        raise Wrong(f"for {reply.what} it raised {said}{_after(reply, said)}") from None
    if isinstance(got, ToolCall):
        raise Wrong(f"for {reply.what} it gives a single ToolCall; give a list of them.")
    if not isinstance(got, list):
        raise Wrong(f"for {reply.what} it gives a {type(got).__name__}; give a list of ToolCalls.")
    for made in got:
        if _is_the_providers(made):
            raise Wrong(
                f"for {reply.what} it gives the calls as the provider wrote them; make a "
                "ToolCall(id, name, arguments) of each."
            )
        if not all(hasattr(made, field) for field in ("id", "name", "arguments", "problem")):
            raise Wrong(f"for {reply.what} one item is {shown(made)}; give ToolCalls.")
        if not (isinstance(made.id, str) and isinstance(made.name, str)):
            found = shown((made.id, made.name, made.arguments))
            raise Wrong(
                f"for {reply.what} one item is ToolCall{found}; it takes the id first, then the "
                "name, then the arguments."
            )
    return got


def _is_the_providers(made: Any) -> bool:
    """A call as it stands in a reply, an object of the client's or a dict."""
    return hasattr(made, "function") or (isinstance(made, dict) and "type" in made)


def _after(reply: Reply, said: str) -> str:
    if "'ChatCompletion' object is not subscriptable" in said:
        return " The client's reply is an object: write response.choices[0].message, with dots."
    if "FunctionToolCall' object has no attribute" in said:
        return " Of a call, the name and the arguments stand in call.function."
    if "dictionary update sequence" in said:
        return " The arguments are a text: json.loads makes a dict of it, dict() does not."
    if re.match("NameError: name '(true|false|null)'", said):
        return " The text is JSON, not Python: json.loads reads it, and runs nothing."
    if "'dict' object has no attribute" in said:
        return " This reply is a dict: write reply['content'], with brackets."
    if said.startswith("KeyError") and isinstance(reply.reply, dict):
        return " Not every block is a call: look at its type before you read on."
    return "" if reply.calls else f" {_none(reply)}"


def _none(reply: Reply) -> str:
    if reply.calls:
        return "Give a list, also for this reply."
    return "A reply in words has no calls (its tool_calls may be None): give []."


def _judge(reply: Reply, got: list, why: Callable[[Reply, list], str]) -> None:
    made = [(item.id, item.name, item.arguments) for item in got]
    if made != reply.calls:
        said = why(reply, got) or _why(reply, got)
        raise Wrong(f"for {reply.what} it gives {_names(got)}. {said}")


def _names(got: list) -> str:
    names = ", ".join(str(made.name) for made in got)
    return f"{len(got)} call{'s' * (len(got) != 1)} ({names})" if got else "[]"


def _why(reply: Reply, got: list) -> str:
    names, due = [made.name for made in got], [name for _, name, _ in reply.calls]
    ids, due_ids = [made.id for made in got], [id for id, _, _ in reply.calls]
    if got and len(got) < len(due) and len(set(due)) < len(due):
        return (
            f"It asks for {len(due)}: some share a name, or are equal. Each is a request of its "
            "own, with its own id."
        )
    if len(got) == 1 < len(due):
        return f"It asks for {len(due)}: [0] and [-1] take one and lose the others."
    if len(got) != len(due):
        return f"It asks for {len(due)}: {', '.join(due)}."
    if names != due and sorted(names) == sorted(due):
        return f"Those are all of them, and the order of the reply is {', '.join(due)}."
    if any(isinstance(made.arguments, str) for made in got):
        return (
            f"The arguments are a text, {got[0].arguments!r}; a function needs them as a dict: "
            "json.loads makes one of it."
        )
    if names == due and ids != due_ids:
        return f"The ids are {ids}; each call keeps the one that came with it: {due_ids}."
    at = next(n for n, it in enumerate(reply.calls) if (ids[n], names[n], got[n].arguments) != it)
    due_call = "ToolCall({!r}, {!r}, {!r})".format(*reply.calls[at])
    found = f"ToolCall({ids[at]!r}, {names[at]!r}, {got[at].arguments!r})"
    return f"Number {at + 1} is {found}; {due_call} is right."


EXERCISES = {
    "01.1": Exercise(
        title="extract the calls",
        judge=_extraction,
        notice=(
            "Checked on 28 replies: in words, with text beside the calls, with one tool asked "
            "twice, and on all 20 queries of the sample."
        ),
        hints=(
            "The calls are in response.choices[0].message.tool_calls. Print it for one reply.",
            "Of one call you need call.id, call.function.name and call.function.arguments, which "
            "is a text: json.loads makes a dict of it.",
            "In a reply in words tool_calls is None. `for call in tool_calls or []:` takes both.",
        ),
        solution="""
            import json

            from ptc import ToolCall


            def extract(response):
                return [
                    ToolCall(call.id, call.function.name, json.loads(call.function.arguments))
                    for call in response.choices[0].message.tool_calls or []
                ]
        """,
    ),
    "01.2": Exercise(
        title="predict how many survive",
        judge=_survivors,
        notice="The error ends the list before it is given back. Run the next cell and see.",
        hints=(
            "json.loads can't read the second text. What does it do then?",
            "No try is around it: which line of the function still runs after that?",
        ),
        solution="survivors = 0",
        required=False,
    ),
    "01.3": Exercise(
        title="survive a malformed string",
        judge=_surviving,
        notice=(
            "One broken call, one problem; its siblings run. A list or a number is JSON, too, and "
            "no arguments."
        ),
        hints=(
            "Read one call at a time, in a function of its own that never raises.",
            "json.loads raises a ValueError. Put the try around this one line, not around the "
            "loop.",
            "After it, ask isinstance(arguments, dict): ToolCall(…, {}, problem=…) where it isn't.",
        ),
        solution="""
            import json

            from ptc import ToolCall


            def read(call):
                text = call.function.arguments
                try:
                    arguments = json.loads(text or "{}")
                except ValueError:
                    arguments = None
                if isinstance(arguments, dict):
                    return ToolCall(call.id, call.function.name, arguments)
                problem = f"the arguments are not a JSON object: {text}"
                return ToolCall(call.id, call.function.name, {}, problem=problem)


            def survive(response):
                return [read(call) for call in response.choices[0].message.tool_calls or []]
        """,
        required=False,
    ),
    "01.4": Exercise(
        title="Anthropic's format",
        judge=_other_format,
        notice=(
            "The same list of ToolCalls from another wire format: whatever runs them need not "
            "know where they came from. A server_tool_use is not ours to run."
        ),
        hints=(
            "reply['content'] is a list of blocks; block['type'] says what each one is.",
            "Take those whose type is 'tool_use', exactly. Their 'input' is a dict already.",
        ),
        solution="""
            from ptc import ToolCall


            def extract_anthropic(reply):
                return [
                    ToolCall(block["id"], block["name"], block["input"])
                    for block in reply["content"]
                    if block["type"] == "tool_use"
                ]
        """,
        required=False,
    ),
}
