"""The exercises of notebook 04."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import permutations
from typing import Any

from ..calls import ToolCall
from .judging import Exercise, Wrong, call, quiz
from .stage import StagedPool

_NAMES = ("get_weather", "get_time", "get_date")
_ANSWERS = {"get_time": "14:05", "get_date": "Monday", "get_weather": "light rain"}


def _batch(*named: tuple[str, str, str]) -> list[ToolCall]:
    return [ToolCall(id, name, {"city": city}, sent_id=id) for id, name, city in named]


def _answer(asked: ToolCall) -> str:
    return f"{_ANSWERS[asked.name]} in {asked.arguments['city']}"


_PLAIN = _batch(*((f"call_{n}", name, "Paris") for n, name in enumerate(_NAMES, start=8)))
_TWO_CITIES = _batch(
    ("a", "get_time", "Paris"), ("b", "get_time", "Tokyo"), ("c", "get_date", "Lima")
)
_ONE_ID = _batch(
    ("x", "get_time", "Paris"), ("x", "get_date", "Paris"), ("y", "get_weather", "Oslo")
)


class _Pool(StagedPool):
    """A stage that can't be stuck: a result asked for before all jobs are in is given at once."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__(order)
        self.asked_early = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        future = super().submit(fn, *args, **kwargs)
        wait = future.result

        def result(timeout: float | None = None) -> Any:
            if self.submitted == len(self.order):
                return wait(timeout)
            self.asked_early = True
            return fn(*args, **kwargs)

        future.result = result
        return future


def _mend(runner: Callable[..., Any]) -> None:
    for calls in (_PLAIN, _TWO_CITIES, _ONE_ID):
        for order in permutations(range(len(calls))):
            _mend_once(runner, calls, order)


def _mend_once(runner: Callable[..., Any], calls: list[ToolCall], order: Sequence[int]) -> None:
    pool = _Pool(order)
    got = call(runner, list(calls), _answer, pool)
    expected = [_answer(asked) for asked in calls]
    if got == expected and pool.submitted == len(calls) and not pool.asked_early:
        return
    finished = ", then ".join(f"{calls[n].name}({calls[n].arguments['city']})" for n in order)
    raise Wrong(f"finishing first {finished}, it gives {got!r}. {_why(got, expected, order, pool)}")


def _why(got: Any, expected: list[str], order: Sequence[int], pool: _Pool) -> str:
    if got == expected and pool.asked_early:
        return (
            "That is right, but slow: it asks for a .result() before all calls are submitted, so "
            "each waits for the one before it. Submit all first."
        )
    if got == expected:
        return (
            "That is right, but this pool has got no job, so nothing runs together in it: give "
            "each call to pool.submit."
        )
    if not isinstance(got, list):
        return "Give a list of outputs, one for each call."
    if any(hasattr(item, "result") for item in got):
        return "Those are futures, the promise of a result; ask each for its .result()."
    if len(got) < len(expected) and len(set(expected)) == len(expected):
        return (
            f"{len(expected)} calls, {len(got)} answers: two calls share a name or an id, so one "
            "overwrote the other. A place in the list belongs to one call alone."
        )
    if got == [expected[n] for n in order]:
        return (
            "That is the order in which they finished. The first answer must be the first call's."
        )
    if len(got) == len(expected) and set(map(str, got)) < set(expected):
        return (
            "One answer stands twice, and one is lost: two calls share a name or an id. Only a "
            "place in the list belongs to one call alone."
        )
    if got == sorted(expected):
        return "All answers are there, at the wrong places: sorting does not bring a place back."
    if sorted(map(str, got)) == sorted(expected):
        return (
            "All answers are there, at the wrong places. (insert moves all that stand behind; "
            "results[place] = … moves nothing.)"
        )
    return f"It should be {expected!r}."


def _pairing(pair: Callable[..., Any]) -> None:
    for calls in (_PLAIN, _TWO_CITIES, _ONE_ID):
        outputs = [_answer(asked) for asked in calls]
        got = call(pair, list(calls), list(outputs))
        expected = [
            {"role": "tool", "tool_call_id": asked.id, "content": output}
            for asked, output in zip(calls, outputs, strict=True)
        ]
        if _as_they_came(got, outputs) != expected:
            raise Wrong(_why_not_paired(_as_they_came(got, outputs), expected, calls))


def _as_they_came(got: Any, outputs: list[str]) -> Any:
    """The messages, with the outputs themselves where their JSON is: both are right."""
    if not isinstance(got, list) or not all(isinstance(item, dict) for item in got):
        return got
    plain = {json.dumps(output): output for output in outputs}
    return [
        item | {"content": plain.get(item["content"], item["content"])}
        if isinstance(item.get("content"), str)
        else item
        for item in got
    ]


def _why_not_paired(got: Any, expected: list[dict], calls: list[ToolCall]) -> str:
    names = [f"{asked.name}({asked.arguments['city']})" for asked in calls]
    told = f"for the calls {', '.join(names)} "
    if not isinstance(got, list) or not all(isinstance(item, dict) for item in got):
        return told + f"it gives {got!r}; give a list of messages, each a dict."
    if len(got) < len(expected):
        return told + (
            f"it gives {len(got)} messages, and {len(expected)} are due: a dict holds one value a "
            "key, and two calls have the same one. zip(calls, outputs) needs no key."
        )
    ids = [item.get("tool_call_id") for item in got]
    if ids != [item["tool_call_id"] for item in expected]:
        return told + f"the ids are {ids}; each message carries the id of its own call, call.id."
    contents = [item.get("content") for item in got]
    due = [item["content"] for item in expected]
    if contents != due and set(map(str, contents)) < set(due):
        return told + (
            f"the contents are {contents}: one stands twice, and one is lost. Two calls share a "
            "name or an id, so go by place: zip(calls, outputs)."
        )
    if contents != due:
        return told + f"the contents are {contents}: an answer stands under another call's id."
    return told + f"it gives {got[0]!r} first; it should be {expected[0]!r}."


EXERCISES = {
    "04.1": Exercise(
        title="mend the runner",
        judge=_mend,
        notice=(
            "Checked over all 6 finishing orders, with two cities and with one id sent twice: the "
            "list of futures is in request order, whatever finishes first."
        ),
        hints=(
            "pool.submit(run, call) gives a future at once, before the job is done.",
            "Submit all first, and keep the futures in a list. In which order are they in it?",
            "Ask the futures for .result() in the order of that list; each waits for its own job.",
        ),
        solution="""
            def mend(calls, run, pool):
                futures = [pool.submit(run, call) for call in calls]
                return [future.result() for future in futures]
        """,
    ),
    "04.2": Exercise(
        title="bug hunt",
        judge=quiz(
            right="c",
            wrong={
                "a": "line A submits each call once and remembers its place: that is sound.",
                "b": "line B yields futures as they finish; that is fine for showing progress, as "
                "long as nobody takes that order for the calls' order.",
                "d": "line D pairs the two lists by place; it is only as right as line C's order.",
            },
        ),
        notice=(
            "append files an answer by when it came; results[places[future]] = … files it by whose "
            "it is."
        ),
        hints=(
            "Follow one answer: after which line does nobody know any more whose it is?",
            "The dict places knows it, and is never asked.",
        ),
        solution="line = 'c'",
        required=False,
    ),
    "04.3": Exercise(
        title="two calls to one tool",
        judge=_pairing,
        notice="Names repeat, ids may, places don't. So the package pairs by place everywhere.",
        hints=(
            "What does {call.name: output} keep of two calls to get_time?",
            "zip(calls, outputs) walks both lists together, place by place.",
        ),
        solution="""
            def pair(calls, outputs):
                return [
                    {"role": "tool", "tool_call_id": call.id, "content": output}
                    for call, output in zip(calls, outputs)
                ]
        """,
        required=False,
    ),
}
