"""The exercises of the further notebook on streams and real models."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from ..provider.refusals import Refused, check_request
from ..text import explain
from .bounded import Stopped
from .judging import Exercise, NotAttempted, Wrong, call, shown

Delta = dict[str, Any]

# --- 10.1: assemble ----------------------------------------------------------------------------


def _delta(
    index: Any = ..., id: str | None = None, name: str | None = None, text: str = ""
) -> Delta:
    made = {"index": index, "id": id, "function": {"name": name, "arguments": text}}
    function = {key: value for key, value in made["function"].items() if value is not None}
    kept = {key: value for key, value in made.items() if value is not None and value is not ...}
    return kept | {"function": function}


def _call(id: str, name: str, text: str) -> dict[str, str]:
    return {"id": id, "name": name, "arguments": text}


_TWO = [_call("a", "get_time", '{"city": "Paris"}'), _call("b", "get_date", '{"city": "Lima"}')]
_SAME = [_call("a", "get_time", '{"city": "Rome"}'), _call("b", "get_time", '{"city": "Lima"}')]
_ALIKE = [
    _call("call_12", "get_time", '{"city": "Rome"}'),
    _call("call_1", "get_date", '{"city": "Rome"}'),
]
_LONE = [_call("a", "get_time", '{"city": "Paris"}')]


def _as(calls: list[dict], indexes: list[Any], ids_always: bool = False) -> list[Delta]:
    """Each call in three deltas: its head, and its arguments in two pieces."""
    deltas = []
    for made, index in zip(calls, indexes, strict=True):
        text, id = made["arguments"], made["id"]
        again = id if ids_always else None
        deltas += [
            _delta(index, id, made["name"]),
            _delta(index, again, None, text[:9]),
            _delta(index, again, None, text[9:]),
        ]
    return deltas


_STREAMS: list[tuple[str, list[Delta], list[dict]]] = [
    ("one call", _as(_LONE, [0]), _LONE),
    ("two calls, index 0 and 1", _as(_TWO, [0, 1]), _TWO),
    (
        "two calls whose deltas are mixed",
        [_as(_TWO, [0, 1])[place] for place in (0, 3, 1, 4, 2, 5)],
        _TWO,
    ),
    ("two calls, the index always 0", _as(_TWO, [0, 0]), _TWO),
    ("two calls of one tool, the index always 0", _as(_SAME, [0, 0]), _SAME),
    ("the id with each delta", _as(_TWO, [0, 1], ids_always=True), _TWO),
    (
        "whole calls without an index",
        [_delta(..., made["id"], made["name"], made["arguments"]) for made in _TWO],
        _TWO,
    ),
    (
        "a first delta without arguments, and later ones without a name",
        [
            {"index": 0, "id": "a", "function": {"name": "get_time"}},
            {"index": 0, "function": {"arguments": '{"city": '}},
            {"index": 0, "function": {"arguments": '"Paris"}'}},
        ],
        _LONE,
    ),
    (
        "a name that comes one delta after the id",
        [
            {"index": 0, "id": "a", "function": {}},
            {"index": 0, "function": {"name": "get_time", "arguments": '{"city": "Paris"}'}},
        ],
        _LONE,
    ),
    ("ids of which one is a part of the other, the index always 0", _as(_ALIKE, [0, 0]), _ALIKE),
    ("no call at all", [], []),
]


def _assembled(assemble: Callable[..., Any]) -> None:
    if not callable(assemble):
        raise Wrong(f"give the function itself, not {shown(assemble)}.")
    for told, deltas, expected in _STREAMS:
        sent = json.loads(json.dumps(deltas))  # so that equal texts are other objects
        try:
            got = assemble(sent)
        except Exception as error:
            raise Wrong(f"for {told} it raised {explain(error)}.{_hint_of(error)}") from error
        if got is None:
            raise NotAttempted
        if got != expected:
            raise Wrong(f"for {told} it gives {shown(got, 200)}. {_why(got, expected)}")


def _hint_of(error: Exception) -> str:
    if isinstance(error, KeyError) and error.args == ("index",):
        return " Some providers send no index: delta.get('index') gives None then."
    if isinstance(error, KeyError) and error.args in (("id",), ("name",)):
        return " Only the first delta of a call has its id and its name: use .get."
    if isinstance(error, KeyError) and error.args == ("arguments",):
        return " Not every delta has arguments: use .get."
    return ""


def _why(got: Any, expected: list[dict]) -> str:
    if not isinstance(got, list) or not all(isinstance(item, dict) for item in got):
        return "Give a list of dicts, one for each call."
    if len(got) < len(expected):
        return (
            f"{_sent(expected)}: two share an index, or have none. What tells them "
            "apart is a new id."
        )
    if len(got) > len(expected):
        return (
            f"{_sent(expected)}: a delta without an id, or with the same id again, "
            "goes on with the call of its index."
        )
    texts = [item.get("arguments") for item in got]
    if any(isinstance(text, dict) for text in texts):
        return "The arguments are the text as it came: nothing has to be parsed here."
    if texts != [item["arguments"] for item in expected]:
        return (
            "The pieces of a call's arguments belong one after the other, and to that call: a "
            "delta without an id goes on with the call of its index."
        )
    return f"It should be {expected!r}."


def _sent(expected: list[dict]) -> str:
    return "One call was sent" if len(expected) == 1 else f"{len(expected)} calls were sent"


# --- 10.2: start early -------------------------------------------------------------------------

_BRACES = '{"text": "a } in a text, and \\" too", "n": {"deep": 1}}'
_EARLY: list[tuple[str, list[tuple[int, str]]]] = [
    ("two calls", [(0, '{"city": '), (0, '"Paris"}'), (1, '{"city"'), (1, ': "Lima"}')]),
    ("two calls whose deltas are mixed", [(1, '{"n"'), (0, '{"n": 1'), (1, ": 2}"), (0, "}")]),
    ("a call that is whole in one delta", [(0, '{"n": 1}'), (1, '{"n": 2}')]),
    ("braces in a text", [(0, _BRACES[:12]), (0, _BRACES[12:40]), (0, _BRACES[40:])]),
    ("an empty piece at the end", [(0, '{"n": 1}'), (0, ""), (1, "{}"), (1, "")]),
]


def _started(start_early: Callable[..., Any]) -> None:
    for told, pieces in _EARLY:
        _started_once(start_early, told, pieces)


def _started_once(
    start_early: Callable[..., Any], told: str, pieces: list[tuple[int, str]]
) -> None:
    read: list[tuple[int, str]] = []
    starts: list[tuple[int, Any, int]] = []

    def deltas() -> Iterator[Delta]:
        for index, text in pieces:
            read.append((index, text))
            yield {"index": index, "arguments": text}

    def start(index: int, arguments: Any) -> str:
        starts.append((index, arguments, len(read)))
        return f"result {index}"

    got = call(lambda _: start_early(deltas(), start), told)
    due = _due(pieces)
    if starts != due:
        raise Wrong(f"for {told}: {_why_not_started(starts, due, len(pieces))}")
    expected = [f"result {index}" for index in sorted(index for index, _, _ in due)]
    if got != expected:
        raise Wrong(
            f"for {told} it gives {got!r}; it should be {expected!r}: what start gave, in the "
            "order of the indexes."
        )


def _due(pieces: list[tuple[int, str]]) -> list[tuple[int, Any, int]]:
    """When each call's arguments are whole: its index, the arguments, the number of deltas read."""
    texts: dict[int, str] = {}
    due: dict[int, tuple[int, Any, int]] = {}
    for number, (index, text) in enumerate(pieces, start=1):
        texts[index] = texts.get(index, "") + text
        try:
            arguments = json.loads(texts[index])
        except ValueError:
            continue
        due.setdefault(index, (index, arguments, number))
    return list(due.values())


def _why_not_started(starts: list[tuple], due: list[tuple], deltas: int) -> str:
    started = [index for index, _, _ in starts]
    if len(started) != len(set(started)):
        return f"it starts {started}: a call twice. Remember which have been started."
    for index, arguments, number in due:
        made = next((one for one in starts if one[0] == index), None)
        if made is None:
            return f"call {index} is never started. The last call has no successor that ends it."
        if made[2] < number:
            return f"call {index} starts with {made[1]!r} while its arguments still come in."
        if made[2] > number:
            return (
                f"call {index} is whole after delta {number} of {deltas}, and starts after delta "
                f"{made[2]}. Look at its text after each delta."
            )
        if made[1] != arguments:
            return f"call {index} starts with {made[1]!r}; it should be {arguments!r}, a dict."
    return f"it starts {started}; it should be {[index for index, _, _ in due]}."


# --- 10.3: a history that stays valid ----------------------------------------------------------

_QUESTION = {"role": "user", "content": "What's the time and the date in Paris?"}
_NEXT = {"role": "user", "content": "Are you still there?"}


def _turn(number: int, calls: int) -> tuple[dict, list[dict]]:
    """The model's message of a turn, and the answers to its calls."""
    ids = [f"call_{number}_{place}" for place in range(calls)]
    function = {"name": "get_time", "arguments": '{"city": "Paris"}'}
    asked = [{"id": id, "type": "function", "function": function} for id in ids]
    answers = [{"role": "tool", "tool_call_id": id, "content": '"14:05"'} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": asked}, answers


def _kept_valid(one_turn: Callable[..., Any]) -> None:
    for calls in (1, 2, 3, 3):  # the same once more, in another conversation
        _finished(one_turn, calls)
        _interrupted(one_turn, calls)
    _in_words(one_turn)


def _finished(one_turn: Callable[..., Any], calls: int) -> None:
    turn = _Turn(calls, [_QUESTION])
    history = [deepcopy(_QUESTION)]
    told = f"for {calls} call{'s' * (calls > 1)} and no interrupt "
    try:
        got = one_turn(history, turn.ask, turn.run)
    except (KeyboardInterrupt, Stopped, Wrong):
        raise
    except BaseException as error:
        raise Wrong(told + f"it raised {explain(error)}.") from error
    if got is None and not turn.asked:
        raise NotAttempted
    turn.check(told)
    if history != [_QUESTION, turn.message, *turn.answers]:
        raise Wrong(
            told + f"the history has the roles {_roles(history)}; it should grow in place by the "
            "model's message and its answers."
        )
    if got != calls:
        raise Wrong(told + f"it gives {shown(got)}; it should be {calls}, the number of answers.")


def _in_words(one_turn: Callable[..., Any]) -> None:
    """A reply without calls, the last of most conversations."""
    message = {"role": "assistant", "content": "It is 14:05 in Paris."}
    history = [deepcopy(_QUESTION)]
    told = "for a reply in words, a message without 'tool_calls', "

    def run(calls: Any) -> list[dict]:
        if calls:
            raise Wrong(told + f"it calls run({shown(calls, 60)}); there is nothing to run.")
        return []

    try:
        got = one_turn(history, lambda history: message, run)
    except (KeyboardInterrupt, Stopped, Wrong):
        raise
    except BaseException as error:
        raise Wrong(told + f"it raised {explain(error)}.") from error
    if history != [_QUESTION, message]:
        raise Wrong(
            told + f"the history has the roles {_roles(history)}; it should grow by that message."
        )
    if got != 0 or type(got) is not int:
        raise Wrong(told + f"it gives {shown(got)}; it should be 0: nothing was answered.")


class _Turn:
    """The ``ask`` and ``run`` of one turn: they look at what they are given, and count."""

    def __init__(self, calls: int, history: list[dict], interrupted: bool = False) -> None:
        self.message, self.answers = _turn(1 + len(history), calls)
        self.history, self.interrupted = history, interrupted
        self.asked = self.ran = 0
        self.wrong = ""

    def __repr__(self) -> str:
        return "turn"

    def ask(self, history: Any) -> dict:
        self.asked += 1
        if history != self.history:
            self.wrong = f"it calls ask({shown(history, 60)}); ask takes the history."
        return self.message

    def run(self, calls: Any) -> list[dict]:
        self.ran += 1
        if calls != self.message["tool_calls"]:
            self.wrong = f"it calls run({shown(calls, 60)}); run takes the message's tool_calls."
        if self.interrupted:
            raise KeyboardInterrupt
        return self.answers

    def check(self, told: str) -> None:
        if self.wrong:
            raise Wrong(told + self.wrong)
        if self.asked != 1:
            raise Wrong(told + f"it asks the model {self.asked} times; a turn is one question.")
        if self.ran != 1:
            raise Wrong(told + f"it runs the calls {self.ran} times; each call is run once.")


def _interrupted(one_turn: Callable[..., Any], calls: int) -> None:
    before = [_QUESTION, *_whole(_turn(1, 2))]
    history = deepcopy(before)
    turn = _Turn(calls, before, interrupted=True)
    told = f"interrupted while {calls} call{'s' * (calls > 1)} run{'s' * (calls == 1)}, "
    came_through = False
    try:
        one_turn(history, turn.ask, turn.run)
    except KeyboardInterrupt:
        came_through = True
    except Exception as error:
        raise Wrong(told + f"it raised {explain(error)}.") from error
    if history[: len(before)] != before:
        raise Wrong(told + "it lost or changed what stood in the history before this turn.")
    try:
        check_request({"messages": [*history, _NEXT]})
    except Refused as refused:
        raise Wrong(
            told + f"it leaves the roles {_roles(history)}, and the next request is refused: "
            f"{shown(str(refused), 90)}"
        ) from refused
    if not came_through:
        raise Wrong(
            told + "it swallows the interrupt: whoever pressed stop wants the loop to stop too."
        )


def _whole(turn: tuple[dict, list[dict]]) -> list[dict]:
    return [turn[0], *turn[1]]


def _roles(history: list[dict]) -> list[str]:
    return [item.get("role", "?") if isinstance(item, dict) else "?" for item in history]


EXERCISES = {
    "10.1": Exercise(
        title="assemble the calls",
        judge=_assembled,
        notice="Checked with deltas as nine kinds of providers send them, mixed ones too.",
        hints=(
            "Keep two things: the list of calls so far, and which call each index means now.",
            "delta.get('index') is None where there is none; a dict takes None as a key too.",
            "A delta begins a new call when nothing is known of its index yet, or when it has an "
            "id that is not that call's id. Otherwise it goes on with that call.",
        ),
        solution="""
            def assemble(deltas):
                calls, at = [], {}
                for delta in deltas:
                    call, id = at.get(delta.get("index")), delta.get("id")
                    if call is None or (id and id != call["id"]):
                        call = {"id": id, "name": "", "arguments": ""}
                        calls.append(call)
                        at[delta.get("index")] = call
                    call["name"] = call["name"] or delta["function"].get("name", "")
                    call["arguments"] += delta["function"].get("arguments", "")
                return calls
        """,
    ),
    "10.2": Exercise(
        title="start early",
        judge=_started,
        notice=(
            "Yours parses the whole text again with each piece, which is quadratic; the package "
            "looks at each character once."
        ),
        hints=(
            "Keep the text of each index so far. After each piece ask: is it whole?",
            "json.loads raises a ValueError for a text that is not whole yet.",
            "Keep what start gave in a dict by index; an index that is in it has been started.",
        ),
        solution="""
            def start_early(deltas, start):
                import json

                texts, results = {}, {}
                for delta in deltas:
                    index = delta["index"]
                    texts[index] = texts.get(index, "") + delta["arguments"]
                    try:
                        arguments = json.loads(texts[index])
                    except ValueError:
                        continue
                    if index not in results:
                        results[index] = start(index, arguments)
                return [results[index] for index in sorted(results)]
        """,
        required=False,
    ),
    "10.3": Exercise(
        title="stop, and go on",
        judge=_kept_valid,
        notice="A turn goes into the history whole, or not at all.",
        hints=(
            "At which line does the history hold calls that have no answers yet?",
            "Nothing forces you to append the model's message before its calls have run.",
            "Run first; then add the message and the answers in one step.",
        ),
        solution="""
            def one_turn(history, ask, run):
                message = ask(history)
                answers = run(message.get("tool_calls"))
                history += [message, *answers]
                return len(answers)
        """,
        required=False,
    ),
}
