"""The exercises of notebook 05."""

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

from ..calls import ToolCall, ToolResult
from ..provider.refusals import Refused, check_request
from ..provider.script import tool_call
from ..text import explain, shorten
from ..wire import format_parallel_results
from .judging import Exercise, NotAttempted, Wrong, quiz, shown

Message = dict[str, Any]

_QUESTION = {"role": "user", "content": "What's new in Paris?"}
_NEXT = {"role": "user", "content": "And then?"}
_OUTPUTS: dict[str, Any] = {
    "get_time": "14:05",
    "get_date": "Monday",
    "get_weather": {"condition": "light rain", "temperature_c": 9.4},
    "water_plants": None,
}
_SIGNATURE = {"extra_content": {"google": {"thought_signature": "EsYBCsMB0e2N"}}}


def _calls(*named: str, **rest: Any) -> Message:
    """A model's message: ``"get_time a1"`` is a call to that tool with that id."""
    items = [tool_call(name, '{"city":"Paris"}', id=id) for name, id in map(str.split, named)]
    return {"role": "assistant", "content": None, **rest, "tool_calls": items}


def _words(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _result(call: ToolCall, failed: bool = False) -> ToolResult:
    if failed:
        return ToolResult(call, False, error=f"{call.name} has no answer for call {call.id}")
    return ToolResult(call, True, _OUTPUTS[call.name])


def _results(message: Message, failed: str = "") -> list[ToolResult]:
    sent = [(item["id"], item["function"]["name"]) for item in message.get("tool_calls", [])]
    made = [ToolCall(id, name, {"city": "Paris"}) for id, name in sent]
    return [_result(call, failed=call.id in failed.split()) for call in made]


_THREE = _calls("get_time a1", "get_date a2", "get_weather a3")
_RICH = _calls("get_time b1", "get_weather b2", content="I look.", reasoning_content="Hm, Paris.")
_RICH["tool_calls"][0] |= _SIGNATURE
_BATCHES = [
    ("three calls", _THREE, ""),
    ("one call", _calls("get_date c1"), ""),
    ("three calls of which one failed", _THREE, "a2"),
    ("two calls that both failed", _calls("get_time d1", "get_date d2"), "d1 d2"),
    ("a message with text, reasoning and a signature", _RICH, ""),
    ("two calls to one tool", _calls("get_time f9", "get_time f1"), "f1"),
    ("a tool that returns None", _calls("water_plants e1"), ""),
    ("two calls that are equal but for their ids", _calls("get_date g1", "get_date g2"), ""),
]


# --- 05.1


def _build(build: Callable[..., Any]) -> None:
    for told, message, failed in _BATCHES:
        results = _results(message, failed)
        got = _value(build, told, deepcopy(message), list(results))
        _check_form(got, told)
        if words := _refused([_QUESTION, *got, _NEXT], told):
            raise Wrong(_refusal(told, words))
        if lost := list(_lost(message, got[0])):
            raise Wrong(f"for {told} the model's own message comes back {_differs(lost)}")
        _check_answers(got[1:], results, told)


def _check_form(got: Any, told: str) -> None:
    if not isinstance(got, list):
        raise Wrong(f"for {told} it gives {shown(got)}; give a list of messages.")
    for item in got:
        if isinstance(item, list):
            raise Wrong(
                f"for {told} there is a list within the list; [message, *answers] unpacks it."
            )
        if not isinstance(item, dict):
            raise Wrong(f"for {told} it gives {shown(item)} as a message; each one is a dict.")
    if not got:
        raise Wrong(f"for {told} it gives no message; the model's own one is always due.")
    if got[0] == _QUESTION or got[0].get("role") == "user":
        raise Wrong(f"for {told} a question comes first; give only what follows on the question.")


def _refused(messages: list[Message], told: str) -> str:
    """What a provider says when it refuses these messages, or ""."""
    try:
        check_request({"messages": json.loads(json.dumps(messages))})
    except Refused as refused:
        return str(refused)
    except (TypeError, ValueError) as error:
        raise Wrong(f"for {told} the messages are not JSON ({explain(error)}).") from None
    return ""


def _refusal(told: str, words: str) -> str:
    return f"for {told} the provider answers 400: “{words}” {_way_out(words)}"


def _way_out(words: str) -> str:
    ways = {
        "did not have response messages": "Every call needs its answer, a single one and a failed "
        "one as well.",
        "preceeding": "The model's own message has to stand before the answers.",
        "not found in 'tool_calls'": "An answer carries the id of its own call: result.call.id.",
        "Duplicate value": "Each call is answered once.",
        ".content'": "The content of an answer is a text: result.content.",
        "'content'": "The content of an answer is a text, result.content; and the model's message "
        "keeps its calls.",
    }
    return next((way for part, way in ways.items() if part in words), "")


def _lost(sent: Any, back: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """What of the model's message is gone or changed; a key of value None may be gone."""
    if isinstance(sent, dict) and isinstance(back, dict):
        for key, value in sent.items():
            yield from _lost(value, back.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(sent, list) and isinstance(back, list) and len(sent) == len(back):
        for place, (one, other) in enumerate(zip(sent, back, strict=True)):
            yield from _lost(one, other, f"{path}[{place}]")
    elif sent != back:
        yield path, "is gone" if back is None else f"was {sent!r}, and is {shown(back)}"


def _differs(lost: list[tuple[str, str]]) -> str:
    if ids := [what for path, what in lost if path.endswith("].id")]:
        return f"with other ids ({ids[0]}). The ids are the model's; nobody needs new ones."
    told = "; ".join(f"{path} {what}" for path, what in lost)
    return f"changed: {told}. Take the message itself instead of building a new one."


def _check_answers(answers: list[Message], results: list[ToolResult], told: str) -> None:
    ids, due = [item.get("tool_call_id") for item in answers], [r.call.id for r in results]
    if sorted(map(str, ids)) != sorted(due):
        raise Wrong(
            f"for {told} {len(answers)} messages follow on the model's own one, and {len(due)} are "
            "due: an answer for each call, and nothing else."
        )
    if ids != due:
        raise Wrong(
            f"for {told} the answers come in the order {ids}, and the calls in {due}. A provider "
            "takes that, but some models go by position too: keep the order of the results."
        )
    for item, result in zip(answers, results, strict=True):
        if why := _why_not_its_answer(_text(item["content"]), result, results):
            raise Wrong(f"for {told} the answer to {result.call.id} is {item['content']!r}. {why}")


def _text(content: Any) -> str:
    """A message's text, also where it comes in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return str(content)


def _why_not_its_answer(text: str, result: ToolResult, results: list[ToolResult]) -> str | None:
    if _answers(text, result):
        return None
    others = [other for other in results if other is not result]
    if owner := next((other for other in others if _answers(text, other)), None):
        return f"That is the answer to {owner.call.id}, and the provider can't know."
    if not result.success:
        return f"The call failed ({result.error}), and the model must read that: result.content."
    if text == str(result.output):
        return "That is how Python prints it; for the wire it is JSON, as in result.content."
    return f"It should be {result.content!r}."


def _answers(text: str, result: ToolResult) -> bool:
    if not result.success:
        return str(result.error) in text
    try:
        return json.loads(text) == result.output
    except ValueError:
        return text == result.output


# --- 05.2


_STEP_BY_STEP = [_calls(f"get_time s{number}") for number in range(1, 6)]
_CONVERSATIONS: list[tuple[str, list[Message], str]] = [
    ("three calls, then words", [_THREE, _words("It rains in Paris.")], ""),
    ("one call, then words", [_calls("get_date c1"), _words("It is Monday.")], ""),
    ("a reply in words, without a call", [_words("Hello!")], ""),
    ("two calls that both failed", [_calls("get_time d1", "get_date d2"), _words("No luck.")],
     "d1 d2"),
    ("three calls, then one more, then words",
     [_THREE, _calls("water_plants e1"), _words("Done.")], "a3"),
    ("five replies with a call each, then words", [*_STEP_BY_STEP, _words("14:05.")], ""),
    ("a reply with text beside its calls", [_RICH, _words("Light rain.")], ""),
    ("a reply with a call and the finish_reason 'stop', as some servers send it",
     [_calls("get_date h1", finish_reason="stop"), _words("It is Tuesday.")], ""),
]  # fmt: skip


class _TooOften(BaseException):
    """Stops a loop that would ask for ever; no ``except Exception`` holds it up."""


class _Talk:
    """A model that says one reply a request, asked with the real client: it refuses, and remembers.

    What it says doesn't depend on the history, so that a history that is wrong can be told as such.
    """

    def __init__(self, replies: list[Message], failed: str) -> None:
        self.replies = [
            {key: value for key, value in reply.items() if key != "finish_reason"}
            for reply in replies
        ]
        self.reasons = [reply.get("finish_reason") for reply in replies]
        self.failed = failed.split()
        self.requests: list[Message] = []
        self.batches: list[list[ToolCall]] = []
        self.refused = ""
        self.client = _client(self._answer)

    def __repr__(self) -> str:
        return "a scripted model"

    def ask(self, history: Any) -> Any:
        if len(self.requests) >= len(self.replies):
            raise _TooOften
        return self.client.chat.completions.create(model="scripted", messages=history)

    def run(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        self.batches.append(list(calls))
        return [_result(call, failed=call.id in self.failed) for call in calls]

    def due(self, requests: int) -> list[Message]:
        """The history that a request should carry, when so many went before it."""
        history = [_QUESTION]
        for reply in self.replies[:requests]:
            history.append(reply)
            history += format_parallel_results(self._results_of(reply))
        return history

    def results(self, requests: int) -> list[ToolResult]:
        """The results that such a history holds."""
        return [result for reply in self.replies[:requests] for result in self._results_of(reply)]

    def _results_of(self, reply: Message) -> list[ToolResult]:
        return _results(reply, " ".join(self.failed))

    def _answer(self, request: Message) -> tuple[int, Message]:
        self.requests.append(request)
        try:
            check_request(request)
        except Refused as refused:
            self.refused = str(refused)
            return refused.status, {"error": refused.error}
        number = len(self.requests) - 1
        message = self.replies[number]
        usual = "tool_calls" if message.get("tool_calls") else "stop"
        choice = {"finish_reason": self.reasons[number] or usual, "index": 0, "message": message}
        body = {"id": "chatcmpl", "object": "chat.completion", "created": 0, "model": "scripted"}
        return 200, body | {"choices": [choice]}


def _client(reply: Callable[[Message], tuple[int, Message]]) -> Any:
    """A real client whose requests don't leave the process."""
    import httpx2
    import openai

    def handle(request: Any) -> Any:
        status, body = reply(json.loads(request.content))
        return httpx2.Response(status, json=body)

    direct = httpx2.Client(transport=httpx2.MockTransport(handle), trust_env=False)
    options = {"base_url": "http://localhost/v1", "api_key": "none", "max_retries": 0}
    return openai.OpenAI(http_client=direct, **options)


def _converse(converse: Callable[..., Any]) -> None:
    for told, replies, failed in _CONVERSATIONS:
        talk = _Talk(replies, failed)
        got = _last_words(converse, talk, told)
        if talk.refused:
            raise Wrong(_refusal(told, talk.refused))
        _check_histories(talk, told)
        _check_end(got, talk, told)
        _check_batches(talk, told)


def _last_words(converse: Callable[..., Any], talk: _Talk, told: str) -> Any:
    try:
        return _value(converse, told, [dict(_QUESTION)], talk.ask, talk.run)
    except NotAttempted:
        if not talk.requests:
            raise
        return None
    except Wrong:
        if talk.refused:
            return ""
        raise
    except _TooOften:
        if talk.refused:
            return ""
        _check_histories(talk, told)
        raise Wrong(
            f"for {told} it goes on asking after the model has answered in words. A reply without "
            "calls is the end."
        ) from None


def _check_histories(talk: _Talk, told: str) -> None:
    """Each request has to carry all that came before it."""
    for number, request in enumerate(talk.requests):
        due, sent = talk.due(number), request["messages"]
        if len(sent) == len(due):
            _check_messages(talk, number, sent, told)
            continue
        if number and sent == [_QUESTION]:
            raise Wrong(
                f"for {told} request {number + 1} has the question alone: the history has not "
                "grown. Add the model's message and the answers before you ask again."
            )
        if lost := _lost_rounds(talk, sent, number):
            raise Wrong(
                f"for {told} request {number + 1} has lost {lost} and its answers. The history "
                "grows: keep all that it held, and add to it."
            )
        raise Wrong(
            f"for {told} request {number + 1} has the roles {[item['role'] for item in sent]}; it "
            f"should be {[item['role'] for item in due]}."
        )


def _lost_rounds(talk: _Talk, sent: list[Message], number: int) -> str:
    """Which replies the history doesn't hold any more."""
    there = {item["id"] for message in sent for item in message.get("tool_calls") or ()}
    lost = [
        f"reply {place}"
        for place, reply in enumerate(talk.replies[:number], start=1)
        if not there & {item["id"] for item in reply["tool_calls"]}
    ]
    return ", ".join(lost)


def _check_messages(talk: _Talk, number: int, sent: list[Message], told: str) -> None:
    for expected, item in zip(talk.due(number), sent, strict=True):
        if expected["role"] == "assistant" and (lost := list(_lost(expected, item))):
            raise Wrong(f"for {told} the model's own message comes back {_differs(lost)}")
    answers = [item for item in sent if item["role"] == "tool"]
    _check_answers(answers, talk.results(number), told)


def _check_end(got: Any, talk: _Talk, told: str) -> None:
    asked, replies = len(talk.requests), len(talk.replies)
    words = talk.replies[-1]["content"]
    if got == words and asked == replies:
        return
    if not asked:
        raise Wrong(f"for {told} it gives {shown(got)} without having asked the model.")
    if asked < replies and (reason := talk.reasons[asked - 1]):
        raise Wrong(
            f"for {told} it stops after that reply. Whether there are calls is said by the calls "
            f"themselves; a finish_reason may be {reason!r} all the same."
        )
    if asked < replies:
        raise Wrong(
            f"for {told} it stops with {shown(got)} after reply {asked} of {replies}, which asks "
            "for calls. Only a reply without calls is the end, however many came before."
        )
    if got is None:
        raise Wrong(f"for {told} it gives None; return the model's words.")
    if not isinstance(got, str):
        raise Wrong(
            f"for {told} it gives an object of type {type(got).__name__}; give the words in it, a "
            "text: response.choices[0].message.content."
        )
    raise Wrong(f"for {told} it gives {shown(got)}; it should be {words!r}.")


def _check_batches(talk: _Talk, told: str) -> None:
    ran = [[call.id for call in batch] for batch in talk.batches if batch]
    due = [[item["id"] for item in reply.get("tool_calls", [])] for reply in talk.replies]
    due = [batch for batch in due if batch]
    if ran == due:
        return
    if [[id] for batch in due for id in batch] == ran:
        raise Wrong(
            f"for {told} it gives run one call at a time, so none runs beside another. Give it the "
            "whole batch."
        )
    raise Wrong(f"for {told} the batches that ran are {ran}; asked for were {due}, each once.")


# --- 05.3


def _looks_complete(calls: list[ToolCall], messages: list[Message]) -> bool:
    """The notebook's weak validator."""
    ids = [call.id for call in calls]
    return len(messages) == len(calls) and all(m["tool_call_id"] in ids for m in messages)


def _fool(fool: Callable[..., Any]) -> None:
    for message in (_THREE, _calls("get_time d1", "get_date d2")):
        results = _results(message)
        right = format_parallel_results(results)
        told = f"the answers to {', '.join(result.call.id for result in results)}"
        given = deepcopy(right)
        try:
            got = _value(fool, told, given)
        except NotAttempted:
            if given == right:
                raise
            raise Wrong(f"for {told} it changes the list, and gives None; return it.") from None
        _check_fooled(got, message, results, right, told)


def _check_fooled(
    got: Any, message: Message, results: list[ToolResult], right: list[Message], told: str
) -> None:
    if not isinstance(got, list) or not all(isinstance(item, dict) for item in got):
        raise Wrong(f"for {told} it gives {shown(got)}; give a list of messages, each a dict.")
    if got == right:
        raise Wrong(f"for {told} it gives just these, and they are right.")
    if len(got) != len(right):
        raise Wrong(
            f"for {told} it gives {len(got)} messages. looks_complete counts: it is not fooled."
        )
    due = [result.call.id for result in results]
    if odd := [item.get("tool_call_id") for item in got if item.get("tool_call_id") not in due]:
        raise Wrong(f"for {told} there is {odd[0]!r}. looks_complete knows the ids of the calls.")
    assert _looks_complete([result.call for result in results], got)
    if _refused([_QUESTION, message, *got, _NEXT], told):
        return
    by_id = {item["tool_call_id"]: _text(item["content"]) for item in got}
    if all(_answers(by_id[result.call.id], result) for result in results):
        raise Wrong(
            f"for {told} each call still gets its own answer, under its own id. That is unusual, "
            "but right: the provider accepts it, and the model reads what is true."
        )


# --- all three


def _value(function: Callable[..., Any], told: str, *args: Any) -> Any:
    """What the learner's function gives; raises NotAttempted for None, Wrong if it raises."""
    if not callable(function):
        raise Wrong(f"give the function itself, not {shown(function)}.")
    try:
        value = function(*args)
    except Exception as error:
        raise Wrong(f"for {told} it raised {shorten(explain(error), 300)}.{_aid(error)}") from error
    if value is None:
        raise NotAttempted
    return value


def _aid(error: Exception) -> str:
    """What to do about an error that the notebook's text leads into."""
    if isinstance(error, AttributeError) and isinstance(error.obj, ToolResult):
        return " A result has .call and .content; the id is its call's, result.call.id."
    if isinstance(error, TypeError) and "assistant_message()" in str(error):
        return " It takes the reply and its calls: assistant_message(response, calls)."
    if isinstance(error, TypeError) and "'ToolCall' object" in str(error):
        return " run takes the list of calls, not a single one."
    return ""


EXERCISES = {
    "05.1": Exercise(
        title="build the messages",
        judge=_build,
        notice=(
            "Accepted eight times by a provider that refuses what real ones refuse. Note how "
            "little there is to do: nothing is numbered, nothing is rebuilt, nothing is left out."
        ),
        hints=(
            "The first message of the list is the one you were given.",
            'An answer is {"role": "tool", "tool_call_id": …, "content": …}. The textbook leaves '
            "failures out; you don't.",
            "The id is that of the result's own call, result.call.id, and the content is "
            "result.content.",
        ),
        solution="""
            def build(message, results):
                answers = [
                    {"role": "tool", "tool_call_id": result.call.id, "content": result.content}
                    for result in results
                ]
                return [message, *answers]
        """,
    ),
    "05.2": Exercise(
        title="write the loop",
        judge=_converse,
        notice=(
            "One call, several, none, several turns, a batch that failed: one path for all of "
            "them. Yours asks as long as the model does; a real one needs an upper limit."
        ),
        hints=(
            "It is a while True: with one return, where the reply has no calls.",
            "Each round: response = ask(history), then calls = extract_parallel_calls(response).",
            "Before you ask again, add assistant_message(response, calls) to the history, and "
            "then the messages that format_parallel_results(run(calls)) gives.",
        ),
        solution="""
            from ptc import extract_parallel_calls, format_parallel_results
            from ptc.wire import assistant_message

            def converse(history, ask, run):
                while True:
                    response = ask(history)
                    calls = extract_parallel_calls(response)
                    if not calls:
                        return response.choices[0].message.content
                    history.append(assistant_message(response, calls))
                    history += format_parallel_results(run(calls))
        """,
        required=False,
    ),
    "05.3": Exercise(
        title="fool the validator",
        judge=_fool,
        notice=(
            "An id answered twice leaves another without an answer, and the provider refuses it. "
            "Two contents swapped are worse: it accepts them, and no look at the ids can tell."
        ),
        hints=(
            "The validator counts, and knows the ids. Does it notice when one id comes twice?",
            "It never looks at the contents. Whose content stands under which id?",
        ),
        solution="""
            def fool(messages):
                return [messages[0]] * len(messages)
        """,
        required=False,
    ),
    "05.4": Exercise(
        title="which one gets through",
        judge=quiz(
            right="d",
            wrong={
                "a": "the user speaks while y has no answer. An answer that comes later is too "
                "late, and so is every other message until the history is mended.",
                "b": "the model's own message is missing, and nobody has asked what these two "
                "answer.",
                "c": "x is answered twice. Two answers to one call are one too many, also where "
                "every call has one.",
            },
        ),
        notice=(
            "The provider wants the model's message, and then one answer a call; among these it "
            "takes any order. Keep the calls' order all the same: some models pair by position."
        ),
        hints=(
            "Read each one from left to right. Has every call got its answer before anybody but a "
            "tool speaks?",
            "Count the answers to each call, and look for the message that asks.",
        ),
        solution='letter = "d"',
        required=False,
    ),
}
