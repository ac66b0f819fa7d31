"""Which result answers which call: by the call itself, not by the text of its id."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from .calls import ToolCall, ToolResult

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
