"""Is every call answered? How many succeeded? And what does the model need to hear of the rest?"""

import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .calls import ToolCall, ToolResult
from .text import mask, secrets, shorten, without_surrogates, without_traceback

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

    A result belongs to its ``.call``, not to whatever has the same id. Warns with
    :class:`PartialResultsWarning` where all are answered and some of the answers are errors.
    """
    completeness = compare(results, expected)
    if completeness.answered and completeness.status == "partial":
        failed, kept = completeness.failed, completeness.succeeded + completeness.failed
        text = f"{len(failed)} of {len(kept)} tool calls failed:\n{aggregate_errors(failed)}"
        warnings.warn(text, PartialResultsWarning, stacklevel=2)
    return completeness


def compare(results: Sequence[ToolResult], expected: int | Sequence[ToolCall]) -> Completeness:
    """:func:`check_parallel_completeness` without the warning."""
    kept, missing, duplicated, unexpected = map(tuple, pair(results, expected))
    succeeded = tuple(result for result in kept if result.success)
    failed = tuple(result for result in kept if not result.success)
    answered = not (missing or duplicated or unexpected)
    status = "complete" if answered and not failed else "partial" if succeeded else "failed"
    return Completeness(answered, status, succeeded, failed, missing, duplicated, unexpected)


Paired = tuple[list[ToolResult], list[ToolCall | None], list[ToolResult], list[ToolResult]]


def pair(results: Sequence[ToolResult], expected: int | Sequence[ToolCall]) -> Paired:
    """The first result of each call, the calls without one, second results, and strangers.

    Raises:
        ValueError: the expected number is negative.
    """
    if not isinstance(expected, int):
        return _pair_by_call(results, expected)
    if expected < 0:
        raise ValueError(f"expected={expected!r} must be 0 or more, or the calls themselves")
    return _pair_by_count(results, expected)


def _pair_by_count(results: Sequence[ToolResult], expected: int) -> Paired:
    first: dict[int, ToolResult] = {}
    for result in results:
        first.setdefault(id(result.call), result)
    kept = list(first.values())
    duplicated = [result for result in results if first[id(result.call)] is not result]
    return kept[:expected], [None] * (expected - len(kept)), duplicated, kept[expected:]


def _pair_by_call(results: Sequence[ToolResult], expected: Sequence[ToolCall]) -> Paired:
    """By identity; a result that came through another process is paired by its call's value."""
    open_calls = Counter(map(id, expected))
    by_value = defaultdict(list)
    for call in expected:
        by_value[call].append(call)
    kept, duplicated, unexpected = [], [], []
    for result in sorted(results, key=lambda result: id(result.call) not in open_calls):
        same = [result.call] if id(result.call) in open_calls else by_value.get(result.call, [])
        call = next((call for call in same if open_calls[id(call)]), None)
        if call is not None:
            open_calls[id(call)] -= 1
        (kept if call is not None else duplicated if same else unexpected).append(result)
    missing = []
    for call in expected:
        if open_calls[id(call)]:
            open_calls[id(call)] -= 1
            missing.append(call)
    return kept, missing, duplicated, unexpected


def aggregate_errors(results: Sequence[ToolResult]) -> str:
    """One line a failure, for the model: the tool, what was wrong, what to do; "" for none.

    A line has 500 characters at most; no traceback, no secret.
    """
    hidden = secrets()
    return "\n".join(_line(result, hidden) for result in results if not result.success)


def _line(result: ToolResult, hidden: Sequence[str]) -> str:
    name, error = result.call.name or "unnamed tool", result.error or "failed"
    line = f"{name} ({result.call.id}): {error}"
    if "; " not in error:  # the package's own errors end in a way out
        line += "; correct the call, or go on without it"
    line = without_surrogates(" ".join(without_traceback(mask(line, hidden)).split()))
    way_out = line.rpartition("; ")[2]
    if len(line) <= _LONGEST_LINE:
        return line
    kept = shorten(way_out, _LONGEST_LINE // 2)
    return f"{shorten(line, _LONGEST_LINE - len(kept) - 2)}; {kept}"
