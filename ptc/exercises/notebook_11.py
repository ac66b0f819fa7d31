"""The exercises of the further notebook "Beyond one machine"."""

from collections.abc import Callable
from typing import Any

from .judging import Exercise, Wrong, call, close, is_number, quiz, shown

# --- 11.2: what the tools must promise -------------------------------------------------------

_PROMISES = [(1, 0.95), (5, 0.95), (2, 0.81), (100, 0.99), (20, 0.5)]

_MODELS: list[tuple[Callable[[int, float], float], str]] = [
    (
        lambda calls, batches: batches,
        "That is the share of the batches. A batch is late as soon as one of its calls is, so the "
        "calls must promise more.",
    ),
    (
        lambda calls, batches: batches**calls,
        "That goes the other way: it is the share of batches that are in time when that share of "
        "the calls is.",
    ),
    (
        lambda calls, batches: 1 - batches**calls,
        "That is the chance that some call is late when that share of the calls is in time.",
    ),
    (
        lambda calls, batches: 1 - (1 - batches) / calls,
        "That shares the late ones out evenly. It is near, and a little too strict: two late "
        "calls in one batch make one late batch.",
    ),
    (
        lambda calls, batches: 1 - (1 - batches) ** (1 / calls),
        "That asks that not all calls be late. A batch is late when one is.",
    ),
    (
        lambda calls, batches: 1 - (1 - batches) ** calls,
        "That is the chance that at least one call is in time. All have to be.",
    ),
]


def _promise(needed: Callable[..., Any]) -> None:
    got = [call(needed, *case) for case in _PROMISES]
    for (calls, batches), share in zip(_PROMISES, got, strict=True):
        expected = batches ** (1 / calls)
        if not close(share, expected):
            told = (
                f"batches of {calls}, {batches} of them in time: it gives "
                f"{shown(share)}, not {expected:.6g}."
            )
            raise Wrong(f"{told} {_why_not_promise(got, share)}")


def _why_not_promise(got: list, share: Any) -> str:
    if not is_number(share):
        return "Give one number from 0 to 1."
    for wrong, why in _MODELS:
        if all(close(g, wrong(*case)) for g, case in zip(got, _PROMISES, strict=True)):
            return why
    exact = [batches ** (1 / calls) for calls, batches in _PROMISES]
    if all(is_number(g) and close(g, 100 * e) for g, e in zip(got, exact, strict=True)):
        return "That is in percent; give it from 0 to 1."
    for digits in (1, 2, 3, 4):
        rounded = [round(share, digits) for share in exact]
        if all(is_number(g) and close(g, r) for g, r in zip(got, rounded, strict=True)):
            return "That is rounded. Don't round it: in large batches the last digits count."
    return "n calls are all in time with chance share × share × … × share, n times."


# --- 11.3: the fewest workers ----------------------------------------------------------------

_LARGEST, _ENOUGH, _FAR_TOO_MANY = 10_000, 20, 1_000
_SEARCHES = [  # the smallest number that meets the goal, and the most that we can pay for
    *((first, _LARGEST) for first in (290, 1, 2, 9_999, 10_000, 4_999, 5_000, 5_001, 8_192)),
    (10_001, _LARGEST),
    *((first, 1) for first in (1, 2)),
    *((first, 3) for first in (1, 2, 3, 4)),
]


def _search(fewest: Callable[..., Any]) -> None:
    for first, most in _SEARCHES:
        asked: list[Any] = []

        def meets(workers: Any, first: int = first, asked: list = asked) -> bool:
            asked.append(workers)
            if len(asked) > _FAR_TOO_MANY:
                raise RuntimeError("too many simulations")
            return workers >= first

        expected = first if first <= most else 0
        try:
            got = call(fewest, meets, most)
        except Wrong as wrong:
            if len(asked) <= _FAR_TOO_MANY:
                raise
            raise Wrong(
                f"we can pay for {most} workers: it has asked for {_FAR_TOO_MANY} simulations and "
                "goes on. Try the middle: it halves what is left to search, whatever comes out."
            ) from wrong
        if type(got) is not int or got != expected or len(asked) > _ENOUGH or _astray(asked, most):
            goal = f"is met from {first} up" if expected else "is never met"
            told = f"the goal {goal}, and we can pay for {most}: it gives"
            why = _why_not_fewest(got, expected, most, asked)
            raise Wrong(f"{told} {shown(got)} after {len(asked)} simulations. {why}")


def _astray(asked: list[Any], most: int) -> list[Any]:
    return [workers for workers in asked if type(workers) is not int or not 1 <= workers <= most]


def _why_not_fewest(got: Any, expected: int, most: int, asked: list[Any]) -> str:
    if type(got) is not int:
        return f"Give a whole number of workers, here {expected}."
    if odd := _astray(asked, most):
        return f"It asked about {odd[0]!r} workers; there are 1 to {most}."
    if expected == 0:
        return "No number that we can pay for meets the goal, and for that it should give 0."
    if got != expected and got == 0:
        return f"It should be {expected}: a number at the edge counts as well."
    if got == expected - 1:
        return f"{got} doesn't meet the goal; {expected} is the first that does."
    if got == expected + 1:
        return f"{expected} meets the goal already: one worker too many."
    if got > expected:
        return f"{got} meets the goal, and so does {expected}: that is fewer."
    if got < expected:
        return f"{got} doesn't meet the goal; {expected} does."
    return (
        f"That is right, but {_ENOUGH} simulations are enough. Try the middle: it halves what is "
        "left to search, whatever comes out."
    )


EXERCISES = {
    "11.1": Exercise(
        title="book a seat",
        judge=quiz(
            right="c",
            wrong={
                "a": "retries counts tasks that raised. A task whose worker died is run again all "
                "the same; with retries=0 it was, too.",
                "b": "a timeout ends our waiting. The booking may have been made before, and "
                "Dask doesn't ask.",
                "d": "that accepts a second run; it doesn't prevent the second booking.",
            },
        ),
        notice=(
            "With such a number the tool is idempotent, and may be registered so: running it "
            "twice books once, on any executor. Payment services call it an idempotency key."
        ),
        hints=(
            "Whatever we set on our side: can we know whether the first run got as far as booking?",
            "Who does know it? The one that books.",
        ),
        solution="choice = 'c'",
    ),
    "11.2": Exercise(
        title="what the tools must promise",
        judge=_promise,
        notice=(
            "For five calls and 0.95 that is 0.9898: to keep a promise about 95 % of the batches, "
            "99 % of the calls must be quick."
        ),
        hints=(
            "A batch is in time when all its calls are. If a share p of the calls is, what is the "
            "chance for two? For n?",
            "p ** calls is the share of batches in time. Which p makes it equal to batches?",
            "The root undoes the power: x ** (1 / n) is the n-th root of x.",
        ),
        solution="""
            def needed(calls, batches):
                return batches ** (1 / calls)
        """,
        required=False,
    ),
    "11.3": Exercise(
        title="the fewest workers",
        judge=_search,
        notice=(
            "Fourteen simulations are enough for 10,000. In the notebook: fewest(lambda workers: "
            "np.percentile(answered_after(workers), 95) <= 2.1, 10_000)."
        ),
        hints=(
            "Ask about the middle. If it meets the goal, the answer is there or below; else above.",
            "Keep two numbers, low and high, between which the answer lies, until they meet.",
            "Begin with low = 1 and high = most + 1: if they meet up there, none meets the goal.",
        ),
        solution="""
            def fewest(meets, most):
                low, high = 1, most + 1
                while low < high:
                    middle = (low + high) // 2
                    if meets(middle):
                        high = middle
                    else:
                        low = middle + 1
                return low if low <= most else 0
        """,
        required=False,
    ),
}
