"""The exercises of notebook 04."""

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import permutations
from typing import Any

from ..calls import ToolCall
from .judging import Exercise, NotAttempted, Wrong, call, quiz, shown
from .stage import StagedPool

_NAMES = ("get_weather", "get_time", "get_date")
_ANSWERS = {"get_time": "14:05", "get_date": "Monday", "get_weather": "light rain"}


def _batch(*named: tuple[str, str, str]) -> list[ToolCall]:
    return [ToolCall(id, name, {"city": city}, sent_id=id) for id, name, city in named]


def _answers(calls: Sequence[ToolCall]) -> list[str]:
    """An answer a call; that of a call which equals an earlier one differs, as a clock's would."""
    texts = [f"{_ANSWERS[asked.name]} in {asked.arguments['city']}" for asked in calls]
    return [
        text + (", a moment later" if asked in calls[:place] else "")
        for place, (asked, text) in enumerate(zip(calls, texts, strict=True))
    ]


_PLAIN = _batch(*((f"call_{n}", name, "Paris") for n, name in enumerate(_NAMES, start=8)))
_TWO_CITIES = _batch(
    ("a", "get_time", "Paris"), ("b", "get_time", "Tokyo"), ("c", "get_date", "Lima")
)
_ONE_ID = _batch(
    ("x", "get_time", "Paris"), ("x", "get_date", "Paris"), ("y", "get_weather", "Oslo")
)
_EQUAL = _batch(("x", "get_time", "Paris"), ("x", "get_time", "Paris"), ("y", "get_date", "Oslo"))
_BATCHES = (_PLAIN, _TWO_CITIES, _ONE_ID, _EQUAL)


# --- 04.1: mend the runner ----------------------------------------------------------------------


class _Pool(StagedPool):
    """A stage that can't be stuck, and that knows what became of each job.

    A result asked for before all jobs are in is given at once, and so is one job too many.
    """

    def __init__(self, calls: Sequence[ToolCall], order: Sequence[int]) -> None:
        super().__init__(order)
        self.calls = list(calls)
        self.answers = _answers(calls)
        self.asked_early = False
        self.here = 0  # how many runs happened in this pool
        self.elsewhere = 0
        self._working = threading.local()

    def run(self, asked: ToolCall) -> str:
        if getattr(self._working, "now", False):
            self.here += 1
        else:
            self.elsewhere += 1
        place = next((n for n, one in enumerate(self.calls) if one is asked), None)
        if place is None:
            raise TypeError(f"run takes one of the calls, not {shown(asked)}")
        return self.answers[place]

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        def job() -> Any:
            self._working.now = True
            try:
                return fn(*args, **kwargs)
            finally:
                self._working.now = False

        if self.submitted >= len(self.order):
            future: Future = Future()
            future.set_result(job())
            self.submitted += 1
            return future
        future = super().submit(job)
        wait = future.result

        def result(timeout: float | None = None) -> Any:
            if self.submitted >= len(self.order):
                return wait(timeout)
            self.asked_early = True
            return job()

        future.result = result
        return future


def _mend(runner: Callable[..., Any]) -> None:
    for calls in _BATCHES:
        for order in permutations(range(len(calls))):
            _mend_once(runner, calls, order)


def _mend_once(runner: Callable[..., Any], calls: list[ToolCall], order: Sequence[int]) -> None:
    pool = _Pool(calls, order)
    try:
        got = call(runner, list(calls), pool.run, pool)
    except Wrong as wrong:
        if not callable(runner):
            raise
        said = str(wrong).partition(" it raised ")[2]
        raise Wrong(f"for {', '.join(_named(calls))} it raised {said}") from wrong
    except NotAttempted:
        if pool.submitted:
            raise Wrong("it submits the calls, and gives nothing back: return the list.") from None
        raise
    if why := _why_not_mended(got, pool, runner):
        finished = ", then ".join(_named([calls[place] for place in order]))
        raise Wrong(f"finishing first {finished}, it gives {shown(got, 300)}. {why}")


def _named(calls: Sequence[ToolCall]) -> list[str]:
    return [f"{asked.name}({asked.arguments['city']})" for asked in calls]


def _why_not_mended(got: Any, pool: _Pool, runner: Callable[..., Any]) -> str:
    if got != pool.answers:
        return _why_not_the_answers(got, pool, runner)
    jobs, many = pool.submitted, len(pool.calls)
    if pool.asked_early:
        return (
            "That is right, but slow: it asks for a .result() before all calls are submitted, so "
            "each waits for the one before it. Submit all first."
        )
    if pool.elsewhere or not pool.here:
        return (
            f"That is right, but this pool ran {pool.here} of {many} calls, so they don't run "
            "together in it: give each call to pool.submit."
        )
    if jobs != many or pool.here != many:
        return f"That is right, but {many} calls made {pool.here} runs in the pool: one a call."
    return ""


def _why_not_the_answers(got: Any, pool: _Pool, runner: Callable[..., Any]) -> str:
    expected = pool.answers
    if not isinstance(got, list):
        return f"That is a {type(got).__name__}; give a list of outputs, one for each call."
    if any(hasattr(item, "result") for item in got):
        return "Those are futures, the promise of a result; ask each for its .result()."
    if len(got) < len(expected) and len({asked.id for asked in pool.calls}) < len(expected):
        return (
            f"{len(expected)} calls, {len(got)} answers: two calls share an id, so one overwrote "
            "the other. A place in the list belongs to one call alone."
        )
    if len(got) < len(expected) and len({asked.name for asked in pool.calls}) < len(expected):
        return (
            f"{len(expected)} calls, {len(got)} answers: two calls share a name, so one overwrote "
            "the other. A place in the list belongs to one call alone."
        )
    if got == [expected[place] for place in pool.order]:
        return (
            "That is the order in which they finished. The first answer must be the first call's."
        )
    if len(got) == len(expected) and set(map(str, got)) < set(expected):
        return (
            "One answer stands twice, and one is lost: two calls share a name or an id, or are "
            "equal. Only a place in the list belongs to one call alone."
        )
    if sorted(map(str, got)) == sorted(expected):
        names = getattr(getattr(runner, "__code__", None), "co_names", ())
        if "insert" in names:
            return (
                "All answers are there, at the wrong places: insert moves all that stand behind. "
                "results[place] = … moves nothing."
            )
        return f"All answers are there, at the wrong places: it should be {expected!r}."
    return f"It should be {expected!r}."


# --- 04.3: two calls to one tool ----------------------------------------------------------------


def _pairing(pair: Callable[..., Any]) -> None:
    for calls in _BATCHES:
        outputs = _answers(calls)
        told = f"for the calls {', '.join(_named(calls))} "
        try:
            got = call(pair, list(calls), list(outputs))
        except Wrong as wrong:
            if not callable(pair):
                raise
            raise Wrong(f"{told}it raised {str(wrong).partition(' it raised ')[2]}") from wrong
        why = _why_not_paired(got, calls, outputs)
        if why:
            raise Wrong(told + why)


def _why_not_paired(got: Any, calls: list[ToolCall], outputs: list[str]) -> str:
    if not isinstance(got, list) or not all(isinstance(item, dict) for item in got):
        return f"it gives {shown(got)}; give a list of messages, each a dict."
    if len(got) < len(calls):
        return (
            f"it gives {len(got)} messages, and {len(calls)} are due: a dict holds one value a "
            "key, and two calls have the same one. zip(calls, outputs) needs no key."
        )
    if len(got) > len(calls):
        return f"it gives {len(got)} messages, and {len(calls)} are due, one for each call."
    for asked, item in zip(calls, got, strict=True):
        if why := _why_not_a_message(item, asked):
            return f"one message is {shown(item, 160)}. {why}"
    ids, due = [item["tool_call_id"] for item in got], [asked.id for asked in calls]
    if ids != due:
        return f"the ids are {ids}; each message carries the id of its own call, call.id: {due}."
    return _why_not_the_contents([item["content"] for item in got], outputs)


def _why_not_a_message(item: dict, asked: ToolCall) -> str:
    """What is wrong with the form of a message; a name beside it is fine if it's the call's."""
    missing = [key for key in ("role", "tool_call_id", "content") if key not in item]
    if missing:
        return f"It has no {missing[0]!r}."
    if item["role"] != "tool":
        return "Its role has to be 'tool'."
    other = [key for key in item if key not in ("role", "tool_call_id", "content", "name")]
    if other:
        return f"{other[0]!r} is not a field of a tool message, and a provider may refuse it."
    if item.get("name", asked.name) != asked.name:
        return f"Its name is not that of its call, {asked.name!r}; it may as well be left out."
    return ""


def _why_not_the_contents(contents: list[Any], outputs: list[str]) -> str:
    """The outputs themselves and their JSON are both right."""
    plain = {json.dumps(output): output for output in outputs}
    contents = [plain.get(one, one) if isinstance(one, str) else one for one in contents]
    if contents == outputs:
        return ""
    told = f"the contents are {contents}: "
    if sorted(map(str, contents)) == sorted(outputs):
        return told + "an answer stands under another call's id."
    if set(map(str, contents)) < set(outputs):
        return told + (
            "one stands twice, and one is lost. Two calls share a name or an id, or are equal, so "
            "go by place: zip(calls, outputs)."
        )
    place = next(n for n, one in enumerate(contents) if one != outputs[n])
    return (
        f"a content is {contents[place]!r}; it should be the output as it is, {outputs[place]!r}."
    )


EXERCISES = {
    "04.1": Exercise(
        title="mend the runner",
        judge=_mend,
        notice=(
            "Checked over all 6 finishing orders, with two cities, one id sent twice and two equal "
            "calls: a list of futures is in request order, whatever finishes first."
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
        solution="line = 'C'",
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
