"""The exercises of notebook 06."""

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..calls import ToolCall, ToolResult
from ..check import PartialResultsWarning
from ..text import explain, shorten
from .bounded import Stopped
from .judging import Exercise, NotAttempted, Wrong, is_number, shown


def _given(function: Callable[..., Any], told: str, *args: Any, why: str = "") -> Any:
    """What the learner's function gives; raises Wrong where it raises, SystemExit included."""
    if not callable(function):
        raise Wrong(f"give the function itself, not {shown(function)}.")
    try:
        return function(*args)
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:
        told = f"for {told} it raised {shorten(explain(error), 120)}."
        raise Wrong(f"{told} {why}".rstrip()) from None


# --- 06.1: one result a call -------------------------------------------------------------------


def _functions(ran: list[str]) -> dict[str, Callable[..., Any]]:
    """Tools by name; each notes that it ran."""

    def get_time(city: str) -> str:
        ran.append("get_time")
        if city == "Atlantis":
            raise ValueError(f"unknown city {city!r}")
        return f"14:05 in {city}"

    def list_orders(days: int = 7) -> int:
        ran.append("list_orders")
        return 0

    def print_report() -> None:
        ran.append("print_report")
        sys.exit(2)

    def water_plants() -> None:
        ran.append("water_plants")
        raise RuntimeError

    def close_door() -> None:
        ran.append("close_door")

    tools = (get_time, list_orders, print_report, water_plants, close_door)
    return {tool.__name__: tool for tool in tools}


_ID = "call_7"
_FAILS = object()


class _Case(NamedTuple):
    name: str
    text: str
    output: Any
    why: str = ""  # said where the call's error comes through
    sends_no_arguments: bool = False


_LOOKED_UP = "The tool is looked up outside the try."
_READ = "The arguments are read outside the try."
_RUN = "The tool is run outside the try."
_CASES = [
    _Case("get_time", '{"city": "Paris"}', "14:05 in Paris"),
    _Case("list_orders", '{"days": 3}', 0),
    _Case("close_door", "{}", None),
    _Case("get_time", '{"city": "Paris"}', "14:05 in Paris"),
    _Case("get_time", '{"city": "Atlantis"}', _FAILS, _RUN),
    _Case("get_time", '{"city": "Par', _FAILS, _READ, True),
    _Case("list_orders", '{"days": ', _FAILS, _READ, True),
    _Case("list_orders", '["Paris"]', _FAILS, "This is JSON, but not an object.", True),
    _Case("get_wether", '{"city": "Paris"}', _FAILS, _LOOKED_UP),
    _Case("get_time", '{"town": "Paris"}', _FAILS, "The tool takes no such argument."),
    _Case("water_plants", "{}", _FAILS, "Not every type of exception is caught."),
    _Case("print_report", "{}", _FAILS, "SystemExit is a BaseException, not an Exception."),
]


def _isolate(run_one: Callable[..., Any]) -> None:
    ran: list[str] = []
    functions = _functions(ran)
    if all(_run_case(run_one, case, functions) is None for case in (_CASES[0], _CASES[4])):
        raise NotAttempted
    for case in _CASES:
        ran.clear()
        got = _run_case(run_one, case, functions)
        told = f"for {_told_of(case)} it"
        if case.sends_no_arguments and ran:
            raise Wrong(f"{told} ran the tool, with arguments that the model never sent.")
        if len(ran) > 1:
            raise Wrong(
                f"{told} ran the tool {len(ran)} times. The model asked once, and a table that is "
                "booked again is a second table."
            )
        _check_result(told, got, case.output)
        if case.output is not _FAILS and not ran:
            raise Wrong(
                f"{told} gives the right output, and this time the tool was not run: an answer "
                "from an earlier call may be out of date."
            )


def _run_case(run_one: Callable[..., Any], case: _Case, functions: dict[str, Any]) -> Any:
    function = {"name": case.name, "arguments": case.text}
    item = {"id": _ID, "type": "function", "function": function}
    why = f"The batch is lost. {case.why}" if case.why else ""
    return _given(run_one, _told_of(case), item, dict(functions), why=why)


def _told_of(case: _Case) -> str:
    return f"the call {case.name} with the arguments {case.text}"


def _check_result(told: str, got: Any, output: Any) -> None:
    if got is None:
        raise Wrong(f"{told} gives None, so the call has no answer: return one there too.")
    if not isinstance(got, dict) or "success" not in got:
        raise Wrong(
            f"{told} gives {shown(got)}; give a dict with id, success, and output or error."
        )
    if got.get("id") != _ID:
        raise Wrong(f"{told} gives the id {got.get('id')!r}; it should be the call's own, {_ID!r}.")
    if output is _FAILS:
        _check_failure(told, got)
    elif got["success"] is not True or got.get("output", _FAILS) != output:
        raise Wrong(f"{told} gives {shown(got, 200)}. {_why_not_output(got, output)}")


def _why_not_output(got: dict[str, Any], output: Any) -> str:
    if got["success"] is True and "output" not in got:
        return f"The tool returns {output!r}; that belongs under 'output'."
    if got["success"] is True:
        return f"The tool returns {output!r}."
    if not output:
        return (
            f"The tool returns {output!r}, and that is an answer: a call fails where it raises, "
            "whatever it returns."
        )
    if got["success"] is False:
        return (
            f"The tool returns {output!r}. The error is that of your own code around it: read it."
        )
    return f"The tool returns {output!r}, and 'success' is True or False."


def _check_failure(told: str, got: dict[str, Any]) -> None:
    if got["success"] is not False:
        raise Wrong(
            f"{told} gives {shown(got, 200)}: that is not a success, so 'success' is False."
        )
    if not isinstance(got.get("error"), str):
        raise Wrong(f"{told} gives the error {shown(got.get('error'))}; it should be text.")
    if not got["error"].strip():
        raise Wrong(
            f"{told} gives an empty error. An exception may have no message; its type's name is "
            "always there: type(error).__name__."
        )


# --- 06.2: go on, or abort ---------------------------------------------------------------------

_A, _B, _C, _LAST_TURNS, _STRANGER = (
    ToolCall(id, name, {"city": "Paris"})
    for id, name in (
        ("call_1", "get_time"),
        ("call_2", "get_date"),
        ("call_3", "get_weather"),
        ("call_0", "get_time"),
        ("call_9", "get_time"),
    )
)


def _ok(call: ToolCall) -> ToolResult:
    return ToolResult(call, True, "fine")


def _bad(call: ToolCall) -> ToolResult:
    return ToolResult(call, False, error="ValueError: no")


class _Outcome(NamedTuple):
    told: str
    results: list[ToolResult]
    calls: list[ToolCall]
    expected: tuple[str, bool]
    why: str


_OUTCOMES = [
    _Outcome(
        "three calls, three outputs",
        [_ok(_A), _ok(_B), _ok(_C)],
        [_A, _B, _C],
        ("complete", True),
        "All are answered, and all succeeded.",
    ),
    _Outcome(
        "three calls, the second failed",
        [_ok(_A), _bad(_B), _ok(_C)],
        [_A, _B, _C],
        ("partial", True),
        "An error is an answer too: the model reads it and goes on.",
    ),
    _Outcome(
        "three calls, all failed",
        [_bad(_A), _bad(_B), _bad(_C)],
        [_A, _B, _C],
        ("failed", False),
        "All are answered, and none with an output.",
    ),
    _Outcome(
        "three calls, three outputs, in the order in which they came: the third call's first",
        [_ok(_C), _ok(_A), _ok(_B)],
        [_A, _B, _C],
        ("complete", True),
        "Each call has its answer, whatever the order of the results.",
    ),
    _Outcome(
        "three calls, the last failed",
        [_ok(_A), _ok(_B), _bad(_C)],
        [_A, _B, _C],
        ("partial", True),
        "An error is an answer too: the model reads it and goes on.",
    ),
    _Outcome(
        "three calls, the last alone with an output",
        [_bad(_A), _bad(_B), _ok(_C)],
        [_A, _B, _C],
        ("partial", True),
        "Some succeeded, wherever they stand.",
    ),
    _Outcome(
        "three calls, an error that came first and then two outputs",
        [_bad(_C), _ok(_A), _ok(_B)],
        [_A, _B, _C],
        ("partial", True),
        "Each call has its answer, whatever the order of the results.",
    ),
    _Outcome(
        "three calls, two outputs, the third call unanswered",
        [_ok(_A), _ok(_B)],
        [_A, _B, _C],
        ("partial", False),
        "The provider refuses the next request as long as an answer is missing.",
    ),
    _Outcome(
        "three calls, two errors, the second call unanswered",
        [_bad(_A), _bad(_C)],
        [_A, _B, _C],
        ("failed", False),
        "Nothing succeeded, and an answer is missing.",
    ),
    _Outcome(
        "two calls, no result at all",
        [],
        [_A, _B],
        ("failed", False),
        "Nothing succeeded, and both answers are missing.",
    ),
    _Outcome(
        "no calls, no results",
        [],
        [],
        ("complete", True),
        "Nothing was asked, so nothing is missing and nothing failed.",
    ),
    _Outcome(
        "three calls, three outputs, but two for call_1 and none for call_2",
        [_ok(_A), _ok(_A), _ok(_C)],
        [_A, _B, _C],
        ("partial", False),
        "The number is right, and a call is unanswered all the same: counting is not enough.",
    ),
    _Outcome(
        "two calls, two outputs for call_1, one for call_2",
        [_ok(_A), _ok(_A), _ok(_B)],
        [_A, _B],
        ("partial", False),
        "The provider refuses a call that is answered twice.",
    ),
    _Outcome(
        "two calls, both with outputs, and one result of the last turn's call_0",
        [_ok(_A), _ok(_B), _ok(_LAST_TURNS)],
        [_A, _B],
        ("partial", False),
        "The provider refuses an answer to what no call has asked.",
    ),
    _Outcome(
        "two calls, both with outputs, and one result of some other call_9",
        [_ok(_A), _ok(_B), _ok(_STRANGER)],
        [_A, _B],
        ("partial", False),
        "The provider refuses an answer to what no call has asked.",
    ),
    _Outcome(
        "one call, and the only result belongs to the last turn's call_0",
        [_ok(_LAST_TURNS)],
        [_A],
        ("partial", False),
        "There is an output, but not for this call: its answer is missing.",
    ),
]


def _classify(classify: Callable[..., Any]) -> None:
    if all(_class_of(classify, outcome) is None for outcome in _OUTCOMES[:3]):
        raise NotAttempted
    for outcome in _OUTCOMES:
        got = _class_of(classify, outcome)
        if got is None:
            raise Wrong(f"for {outcome.told} it gives None; each way through needs its return.")
        pair = tuple(got) if isinstance(got, list | tuple) else ()
        if len(pair) != 2 or not isinstance(pair[0], str) or not isinstance(pair[1], bool):
            raise Wrong(
                f'for {outcome.told} it gives {shown(got)}; give a pair like ("partial", True).'
            )
        if pair != outcome.expected:
            raise Wrong(
                f"for {outcome.told} it gives {pair!r}; it should be {outcome.expected!r}. "
                f"{outcome.why}"
            )


def _class_of(classify: Callable[..., Any], outcome: _Outcome) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PartialResultsWarning)
        return _given(classify, outcome.told, list(outcome.results), list(outcome.calls))


# --- 06.3: what the model reads ----------------------------------------------------------------

_MOST = 500
_DO = re.compile(
    r"\b(again|ask|call|change|check|choose|continue|correct|drop|fix|give|go|ignore|instead|leave|"
    r"look|must|need|pass|pick|please|proceed|provide|repeat|replace|report|resend|retry|see|send|"
    r"should|skip|stop|supply|tell|try|use|verify|wait|without)\b"
)
_SECRET = re.compile("KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_HIDDEN = {
    "PTC_CHECK_API_KEY": "sk-4f9a77c1",
    "PTC_CHECK_TOKEN_2": "tok-81d3b0aa",
    "PTC_CHECK_SECRET": "oyster-and-pearl",
    "PTC_CHECK_PASSWORD": "correct-horse",
}
_EMPTY = "PTC_CHECK_TOKEN"
_REFUSED = "ConnectionError: 401 from https://shop.example/stock?item=tea&auth={}"


def _failure(number: int, name: str, error: str, city: str = "Atlantis") -> ToolResult:
    return ToolResult(ToolCall(f"call_{number}", name, {"city": city}), False, error=error)


_FIVE = [
    _ok(_A),
    _failure(4, "get_weather", "ValueError: unknown city 'Atlantis'"),
    _ok(_B),
    _failure(5, "get_wether", "no tool named 'get_wether'; known: ['get_time', 'get_date']"),
    _failure(6, "get_weather", "ValueError: unknown city 'Avalon'", "Avalon"),
]
_LINES = _failure(7, "add_item", "ValidationError: 1 fault\nitem\n  a text is required")
_LONG = _failure(8, "load_table", "ValueError: row 17 has no date" + ", 0.0" * 500)


@contextmanager
def _only_our_secrets() -> Iterator[None]:
    """The reader's own are put away: a short one would put stars into every text."""
    away = {name: os.environ.pop(name) for name in list(os.environ) if _SECRET.search(name)}
    os.environ.update(_HIDDEN)
    try:
        yield
    finally:
        for name in (*_HIDDEN, _EMPTY):
            os.environ.pop(name, None)
        os.environ.update(away)


def _summary(summarise: Callable[..., Any]) -> None:
    with _only_our_secrets():
        if all(_given(summarise, "a batch", results) is None for results in (_FIVE[:1], _FIVE)):
            raise NotAttempted
        _nothing_failed(summarise)
        _says_all_three(summarise)
        _is_one_line_a_failure(summarise)
        _hides_secrets(summarise)
        _keeps_to_the_bound(summarise)


def _told(summarise: Callable[..., Any], results: Sequence[ToolResult], told: str) -> str:
    got = _given(summarise, told, list(results))
    if not isinstance(got, str):
        raise Wrong(f'for {told} it gives {shown(got, 120)}; give a text, "" for none.')
    return got


def _nothing_failed(summarise: Callable[..., Any]) -> None:
    for results, told in (([_ok(_A), _ok(_B)], "two outputs and no failure"), ([], "no results")):
        got = _told(summarise, results, told)
        if got != "":
            raise Wrong(
                f'for {told} it gives {got!r}; it should be "". A header without errors '
                "tells the model that something failed."
            )


def _says_all_three(summarise: Callable[..., Any]) -> None:
    failure = _FIVE[1]
    told = f"one failure, get_weather with the error {failure.error!r},"
    got = _told(summarise, [failure], told)
    if "Unknown error" in got:
        raise Wrong(f"for {told} it gives {got!r}. The text is in result.error: no default needed.")
    if not _names(got, "get_weather"):
        raise Wrong(
            f"for {told} it gives {got!r}: the tool's name, result.call.name, is not there"
            + (" as a word of its own." if "get_weather" in got else ".")
        )
    if "unknown city 'Atlantis'" not in got:
        raise Wrong(f"for {told} it gives {got!r}: what was wrong, result.error, is not there.")
    if not _says_what_to_do(got):
        raise Wrong(
            f"for {told} it gives {got!r}. The model reads what was wrong, and not what to do: add "
            "words such as 'correct the call, or go on without it'."
        )


def _names(line: str, tool: str) -> bool:
    return bool(re.search(rf"(?<!\w){tool}(?!\w)", line))


def _says_what_to_do(line: str) -> bool:
    line = re.sub(r"\b(the|this|that|tool|function) calls?\b", "", line.lower())
    return bool(_DO.search(line))


def _is_one_line_a_failure(summarise: Callable[..., Any]) -> None:
    told = "five results, the second, fourth and fifth of them failures,"
    got = _told(summarise, _FIVE, told)
    lines = got.split("\n")
    if len(lines) != 3:
        many = "one line for each that failed, and no other."
        why = many if len(lines) > 3 else "two of them went to one tool, so names repeat."
        raise Wrong(f"for {told} it gives {got!r}. That is {len(lines)}, and 3 are due: {why}")
    for line, word in zip(lines, ("Atlantis", "get_wether", "Avalon"), strict=True):
        if word not in line:
            raise Wrong(f"for {told} the line for {word} is {line!r}; keep the results' order.")
        tool = "get_wether" if word == "get_wether" else "get_weather"
        if not _names(line, tool) or not _says_what_to_do(line):
            raise Wrong(
                f"for {told} the line for {word} is {line!r}; each line names the tool, says what "
                "was wrong, and what to do."
            )
    told = f"one failure whose error has three lines, {_LINES.error!r},"
    got = _told(summarise, [_LINES], told)
    if len(got.splitlines()) != 1:
        raise Wrong(f"for {told} it gives {len(got.splitlines())} lines: one failure, one line.")
    if "a text is required" not in got:
        raise Wrong(f"for {told} it gives {got!r}: what was wrong stands in the last of the three.")


def _hides_secrets(summarise: Callable[..., Any]) -> None:
    for name, secret in _HIDDEN.items():
        error = _REFUSED.format(secret)
        told = f"an error with the value of the environment variable {name} in it"
        got = _told(summarise, [_failure(9, "get_stock", error)], told)
        if secret in got or not re.search(r"\*\*\*(?!\w)", got):
            raise Wrong(f"for {told} it gives {got!r}; that value should show as ***.")
        if "shop.example/stock" not in got:
            raise Wrong(f"for {told} it gives {got!r}: hide the value, not the text around it.")
    secret = os.environ.pop("PTC_CHECK_SECRET")
    told = f"an error with {secret!r} in it, which no environment variable holds now,"
    got = _told(summarise, [_failure(9, "get_stock", _REFUSED.format(secret))], told)
    os.environ["PTC_CHECK_SECRET"] = secret
    if secret not in got:
        raise Wrong(f"for {told} it gives {got!r}; hide what os.environ holds at the time.")
    os.environ[_EMPTY] = ""
    told = f"an environment where {_EMPTY} is empty"
    got = _told(summarise, [_FIVE[1]], told)
    if "***" in got:
        raise Wrong(
            f"for {told} it gives {shown(got, 60)}: "
            "the empty text is found between any two letters, so leave empty values out."
        )


def _keeps_to_the_bound(summarise: Callable[..., Any]) -> None:
    told = f"an error of {len(_LONG.error or '')} characters"
    got = _told(summarise, [_LONG], told)
    if len(got) > _MOST:
        raise Wrong(f"for {told} the line has {len(got)}; {_MOST} is the most.")
    if "row 17" not in got:
        raise Wrong(
            f"for {told} it gives {shown(got, 120)}: 'row 17', which stands at its beginning, is "
            "lost."
        )
    if not _says_what_to_do(got):
        raise Wrong(f"for {told} the cut took what to do with it: cut the error, then add that.")
    secret = _HIDDEN["PTC_CHECK_SECRET"]
    for length in range(300, _MOST, 4):
        error = f"ValueError: {'0' * length}{secret}{'0' * _MOST}"
        got = _told(summarise, [_failure(9, "get_stock", error)], "a long error with a secret")
        if secret[:6] in got:
            at = got.index(secret[:6])
            raise Wrong(
                f"for a long error with the value {secret!r} in it, the line has "
                f"{got[at : at + len(secret)]!r}: half a secret is left. Hide first, then cut."
            )


# --- 06.4: how many turns ----------------------------------------------------------------------


def _turns(number: Any) -> None:
    if not is_number(number):
        raise Wrong(f"{shown(number)} is not a number; count the model's replies.")
    if number <= 1:
        raise Wrong(f"not {number}: the first reply only asks. Words come when answers are read.")
    if number == 2:
        raise Wrong(
            "not 2: that would do if both calls of the first turn succeeded. When add_item looks "
            "for the list, 0.1 s after the start, where is create_list?"
        )
    if number != 3:
        raise Wrong(
            f"not {number}: create_list does succeed, only later. The second turn adds the item "
            "to a list that is there, and nothing is left to repeat."
        )


EXERCISES = {
    "06.1": Exercise(
        title="one result a call",
        judge=_isolate,
        notice=(
            "All that belongs to one call is inside one try, and it catches SystemExit too. In a "
            "worker thread that is safe: the stop button's KeyboardInterrupt reaches the main "
            "thread alone."
        ),
        hints=(
            "Which of these three can raise: finding the function, reading its arguments, running "
            "it? Put all that can into the try.",
            "except Exception lets SystemExit through; except BaseException catches it as well.",
            'str(error) may be empty; f"{type(error).__name__}: {error}" never is.',
        ),
        solution="""
            import json

            def run_one(tool_call, functions):
                try:
                    function = functions[tool_call["function"]["name"]]
                    arguments = json.loads(tool_call["function"]["arguments"])
                    output = function(**arguments)
                except BaseException as error:
                    text = f"{type(error).__name__}: {error}"
                    return {"id": tool_call["id"], "success": False, "error": text}
                return {"id": tool_call["id"], "success": True, "output": output}
        """,
    ),
    "06.2": Exercise(
        title="go on, or abort",
        judge=_classify,
        notice=(
            "Whether all are answered is a question of pairs, not of numbers: one answer twice and "
            "one missing have the right count."
        ),
        hints=(
            "First: is every call answered exactly once, and is nothing else there? Compare the "
            "ids of the calls with the ids of the results' calls; sorted() makes them comparable.",
            'Then the status: "complete" needs answered and no failure; "partial" needs a success.',
            "all([]) is True and any([]) is False: that decides the case without calls.",
        ),
        solution="""
            def classify(results, calls):
                ids = [result.call.id for result in results]
                answered = sorted(ids) == sorted(call.id for call in calls)
                if answered and all(result.success for result in results):
                    return "complete", True
                if any(result.success for result in results):
                    return "partial", answered
                return "failed", False
        """,
        required=False,
    ),
    "06.3": Exercise(
        title="an error summary to act on",
        judge=_summary,
        notice=(
            "The order matters. Cut first, and half a secret stays; add what to do first, and the "
            "cut takes it away."
        ),
        hints=(
            'A list of lines, joined by "\\n", is "" by itself where there are none.',
            '" ".join(text.split()) turns an error of several lines into one.',
            "Take the values of os.environ whose name holds KEY, TOKEN, SECRET or PASSWORD, leave "
            'out the empty ones, and replace each by "***" before you cut.',
            "Cut the error to 400 characters or so, and add what to do after that.",
        ),
        solution="""
            import os

            def hide(text):
                words = ("KEY", "TOKEN", "SECRET", "PASSWORD")
                for name, value in os.environ.items():
                    if value and any(word in name.upper() for word in words):
                        text = text.replace(value, "***")
                return text

            def summarise(results):
                lines = []
                for result in results:
                    if not result.success:
                        error = " ".join(hide(result.error).split())[:400]
                        lines.append(
                            f"{result.call.name}: {error}; correct the call, or go on without it"
                        )
                return "\\n".join(lines)
        """,
        required=False,
    ),
    "06.4": Exercise(
        title="predict the turns",
        judge=_turns,
        notice="One to ask for both, one to add the item again, one to answer in words.",
        hints=(
            "create_list takes 0.2 s, add_item looks after 0.1 s. What does add_item find?",
            "Count: the turn that asks for both, the turn after an error, the turn in words.",
        ),
        solution="turns = 3",
        required=False,
    ),
}
