"""Is every call answered? How many succeeded? And what does the model need to hear of the rest?"""

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .calls import ToolCall, ToolResult
from .text import mask, secrets, shorten, split_advice, with_advice
from .text.words import without_surrogates, without_traceback

_LONGEST_LINE = 500  # characters


class PartialResultsWarning(UserWarning):
    """Every call is answered, and some of the answers are errors."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """What is there and what is missing. True means go on, False means abort.

    ``missing`` holds the calls without a result (a None for each, where only their number is
    known), ``duplicated`` the results of a call that had one, ``unexpected`` those of no call of
    the batch; ``succeeded`` and ``failed`` the others, by outcome.
    """

    answered: bool
    status: Literal["complete", "partial", "failed"]
    succeeded: tuple[ToolResult, ...]
    failed: tuple[ToolResult, ...]
    missing: tuple[ToolCall | None, ...]
    duplicated: tuple[ToolResult, ...]
    unexpected: tuple[ToolResult, ...]

    def __bool__(self) -> bool:
        return self.answered and self.status != "failed"


def check_parallel_completeness(
    results: Sequence[ToolResult], expected: int | Sequence[ToolCall]
) -> Completeness:
    """Compare results with the calls that were made, or with their number.

    A result belongs to its ``.call``, not to whatever has the same id; a call that is listed three
    times has three results. A number counts runs, of which a call may have several; the same call
    with the same times is a duplicate. (That one ran twice and another never, only the calls tell.)
    Warns with :class:`PartialResultsWarning` where all are answered, some with an error.

        >>> calls = [ToolCall("call_1", "get_time"), ToolCall("call_2", "get_date")]
        >>> check_parallel_completeness([ToolResult(calls[0], True)], calls).missing == (calls[1],)
        True
    """
    completeness = compare(results, expected)
    if completeness.answered and completeness.status == "partial":
        told = f"{len(completeness.failed)} of {len(results)} tool calls failed"
        warnings.warn(f"{told}:\n{aggregate_errors(results)}", PartialResultsWarning, stacklevel=2)
    return completeness


def compare(results: Sequence[ToolResult], expected: int | Sequence[ToolCall]) -> Completeness:
    """:func:`check_parallel_completeness` without the warning: ``compare([], 2).missing``."""
    if not isinstance(expected, Iterable):
        paired = _pair_by_count(results, expected)
    else:
        paired = _pair_by_call(results, expected)
    kept, missing, duplicated, unexpected = paired
    succeeded = tuple(result for result in kept if result.success)
    failed = tuple(result for result in kept if not result.success)
    answered = not (missing or duplicated or unexpected)
    status = "complete" if answered and not failed else "partial" if succeeded else "failed"
    return Completeness(answered, status, succeeded, failed, missing, duplicated, unexpected)


class _Paired(NamedTuple):
    """The results that answer a call, the calls that none answers, and the other results."""

    kept: tuple[ToolResult, ...]
    missing: tuple[ToolCall | None, ...]
    duplicated: tuple[ToolResult, ...]
    unexpected: tuple[ToolResult, ...]


def _pair_by_count(results: Sequence[ToolResult], expected: int) -> _Paired:
    if not (isinstance(expected, int) and expected >= 0):
        raise ValueError(f"expected={expected!r} must be 0 or more, or the calls themselves")
    runs, duplicated = {}, []
    for result in results:
        run = (id(result.call), result.submitted, result.finished)
        if run in runs:
            duplicated.append(result)
        else:
            runs[run] = result
    kept, missing = tuple(runs.values()), (None,) * (expected - len(runs))
    return _Paired(kept[:expected], missing, tuple(duplicated), kept[expected:])


def _pair_by_call(results: Sequence[ToolResult], expected: Sequence[ToolCall]) -> _Paired:
    """By identity first; then a result from another process by the value of its call's copy."""
    wanted = Counter(map(id, expected))  # how many more results each call is to have
    equals = defaultdict(list)
    for call in expected:
        equals[call].append(call)
    ours = [result for result in results if id(result.call) in wanted]
    copies = [result for result in results if id(result.call) not in wanted]
    kept, missing, duplicated, unexpected = [], [], [], []
    for result in ours + copies:
        same = [result.call] if id(result.call) in wanted else equals.get(result.call, [])
        call = next((call for call in same if wanted[id(call)]), None)
        if call is not None:
            wanted[id(call)] -= 1
            kept.append(result)
        elif same:
            duplicated.append(result)
        else:
            unexpected.append(result)
    for call in expected:
        if wanted[id(call)]:
            wanted[id(call)] -= 1
            missing.append(call)
    return _Paired(tuple(kept), tuple(missing), tuple(duplicated), tuple(unexpected))


def aggregate_errors(results: Sequence[ToolResult]) -> str:
    """One line a failure, for the model: the tool, what was wrong, what to do; "" for none.

    A line has 500 characters at most, and keeps what to do where it is cut; no traceback, no
    secret.

        >>> failed = ToolResult(ToolCall("call_1", "get_time"), False, error="TimeoutError")
        >>> aggregate_errors([failed])
        'get_time (call_1): TimeoutError; correct the call, or go on without it'
    """
    hidden = secrets()
    return "\n".join(_line(result, hidden) for result in results if not result.success)


def _line(result: ToolResult, hidden: Sequence[str]) -> str:
    name, error = result.call.name or "unnamed tool", result.error or "failed"
    if not split_advice(error).advice:  # the package's own errors have some
        error = with_advice(error, "correct the call, or go on without it")
    line = without_traceback(mask(f"{name} ({result.call.id}): {error}", hidden))
    line = without_surrogates(" ".join(line.split()))
    if len(line) <= _LONGEST_LINE:
        return line
    what, advice = split_advice(line)
    advice = shorten(advice, _LONGEST_LINE // 2)
    return with_advice(shorten(what, _LONGEST_LINE - len("; ") - len(advice)), advice)
